// Knows which two characters stand side by side in some token of a vocabulary.
namespace LoraBuild.Core.Tokenizers.Models;

/// <summary>A bit table over hashed pairs: it may say yes wrongly, never no.</summary>
internal sealed class NeighbourFilter
{
    private const int Bits = 21;

    private readonly ulong[] table = new ulong[1 << (Bits - 6)];

    public NeighbourFilter(IEnumerable<string> tokens)
    {
        foreach (string token in tokens)
        {
            for (int i = 1; i < token.Length; i++)
            {
                uint slot = Slot(token[i - 1], token[i]);
                table[slot >> 6] |= 1UL << (int)(slot & 63);
            }
        }
    }

    public bool MayStandTogether(char left, char right)
    {
        uint slot = Slot(left, right);
        return ((table[slot >> 6] >> (int)(slot & 63)) & 1) != 0;
    }

    private static uint Slot(char left, char right) => ((((uint)left << 16) | right) * 0x9E3779B1u) >> (32 - Bits);
}
