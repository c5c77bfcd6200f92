// ByteFallback: runs of <0xNN> tokens back to text.
using System.Globalization;
using System.Text;

namespace LoraBuild.Core.Tokenizers.Decoders;

/// <summary>A run that is not UTF-8 as a whole gives one U+FFFD for each of its bytes.</summary>
internal sealed class ByteFallbackDecoder : IDecoder
{
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    public List<string> Decode(List<string> tokens)
    {
        List<string> output = new(tokens.Count);
        List<byte> run = [];
        foreach (string token in tokens)
        {
            if (token.Length == 6 && token.StartsWith("<0x", StringComparison.Ordinal) && token[5] == '>'
                && byte.TryParse(token.AsSpan(3, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out byte value))
            {
                run.Add(value);
                continue;
            }

            Flush(run, output);
            output.Add(token);
        }

        Flush(run, output);
        return output;
    }

    private static void Flush(List<byte> run, List<string> output)
    {
        if (run.Count == 0)
            return;
        byte[] bytes = [.. run];
        if (System.Text.Unicode.Utf8.IsValid(bytes))
            output.Add(Strict.GetString(bytes));
        else
            output.AddRange(Enumerable.Repeat("\uFFFD", bytes.Length));
        run.Clear();
    }
}
