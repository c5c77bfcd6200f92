// UnicodeScripts: cuts where the script changes, as SentencePiece does.
using LoraBuild.Core.Tokenizers.Unicode;

namespace LoraBuild.Core.Tokenizers.PreTokenizers;

/// <summary>
/// Hiragana and Katakana count as Han. A space, and what Unicode 9 gave no script, takes the script of what stands before it; at the start
/// of a piece such characters are lost, as in the library.
/// </summary>
internal sealed class UnicodeScriptsPreTokenizer : IPreTokenizer
{
    private const int Any = -1;
    private const int None = -2;

    private static readonly int Common = PropertyTables.NumberOfScript("Common");
    private static readonly int Devanagari = PropertyTables.NumberOfScript("Devanagari");
    private static readonly int Han = PropertyTables.NumberOfScript("Han");
    private static readonly int Hiragana = PropertyTables.NumberOfScript("Hiragana");
    private static readonly int Katakana = PropertyTables.NumberOfScript("Katakana");

    public void Split(TextPiece piece, PreTokenizeContext context, List<TextPiece> output)
    {
        ReadOnlySpan<char> text = piece.Span;
        int start = -1;
        int last = None;
        for (int i = 0; i < text.Length;)
        {
            int script = ScriptOf(UnicodeClasses.CodePointAt(text, i, out int units));
            if (script != Any && script != last)
            {
                if (start >= 0)
                    output.Add(piece.Slice(start, i - start));
                start = i;
                last = script;
            }

            i += units;
        }

        if (start >= 0)
            output.Add(piece.Slice(start, text.Length - start));
    }

    /// <summary>The script as the library groups it; a few characters have moved to another script since Unicode 9.</summary>
    internal static int ScriptOf(int c)
    {
        switch (c)
        {
            case ' ':
                return Any;
            case 0x30FC: // the long vowel mark of Katakana is a Common character
                return Han;
            case 0x589 or 0x61C:
                return Common;
            case 0x953 or 0x954:
                return Devanagari;
        }

        int script = PropertyTables.ScriptInUnicode9(c);
        return script == Hiragana || script == Katakana ? Han : script;
    }
}
