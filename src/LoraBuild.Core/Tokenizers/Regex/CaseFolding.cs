// Which code points a case-insensitive literal matches.
using System.Text;

namespace LoraBuild.Core.Tokenizers.Regex;

/// <summary>Simple (one to one) case folding; Oniguruma's folding to several characters (ß as ss) is not part of it.</summary>
internal static class CaseFolding
{
    private const int LastCased = 0x1E943; // Adlam is the last block with case.

    public static CodePointSet Equivalents(int codePoint)
    {
        if (codePoint < 128 && !char.IsAsciiLetter((char)codePoint))
            return CodePointSet.Single(codePoint);
        if (codePoint < 128)
        {
            int lower = codePoint | 0x20;
            // U+017F folds to s, U+212A (Kelvin) to k.
            int extra = lower switch { 's' => 0x17F, 'k' => 0x212A, _ => lower };
            return new CodePointSet(c => (c < 128 && (c | 0x20) == lower && char.IsAsciiLetter((char)c)) || c == extra);
        }

        if (codePoint is 0x17F or 0x212A)
            return Equivalents(codePoint == 0x17F ? 's' : 'k');
        if (!Rune.IsValid(codePoint))
            return CodePointSet.Single(codePoint);
        HashSet<int> same = [];
        int folded = Fold(codePoint);
        for (int c = 128; c <= LastCased; c++)
        {
            if (Rune.IsValid(c) && Fold(c) == folded)
                same.Add(c);
        }

        return new CodePointSet(same.Contains);
    }

    /// <summary>The lower case of the upper case, which joins letters with two lower-case forms (σ and ς).</summary>
    private static int Fold(int codePoint) => Rune.ToLowerInvariant(Rune.ToUpperInvariant(new Rune(codePoint))).Value;
}
