// Remembers the tokens of words that were seen: natural text repeats its words.
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace LoraBuild.Core.Tokenizers.Models;

/// <summary>A hash table with open addressing whose keys and values lie in three growing arrays. When it is full it starts over, which keeps it bounded.</summary>
internal sealed class WordCache
{
    public const int LongestWord = 48;

    private const int LargestCount = 1 << 16;

    private Entry[] entries = new Entry[1 << 12];
    private char[] keys = new char[1 << 15];
    private int[] ids = new int[1 << 14];
    private int[] starts = new int[1 << 14];
    private int[] ends = new int[1 << 14];
    private int count;
    private int keyLength;
    private int valueLength;

    private struct Entry
    {
        public uint Hash;
        public int KeyStart;
        public int KeyLength; // 0: empty
        public int ValueStart;
        public int ValueLength;
    }

    public bool TryAppend(ReadOnlySpan<char> word, uint hash, TokenBuffer output)
    {
        int mask = entries.Length - 1;
        for (int at = (int)hash & mask; ; at = (at + 1) & mask)
        {
            ref Entry entry = ref entries[at];
            if (entry.KeyLength == 0)
                return false;
            if (entry.Hash != hash || entry.KeyLength != word.Length || !word.SequenceEqual(keys.AsSpan(entry.KeyStart, entry.KeyLength)))
                continue;
            if (output.HasPlaces)
                output.AddRange(ids.AsSpan(entry.ValueStart, entry.ValueLength), starts.AsSpan(entry.ValueStart, entry.ValueLength), ends.AsSpan(entry.ValueStart, entry.ValueLength));
            else
                output.AddRange(ids.AsSpan(entry.ValueStart, entry.ValueLength));
            return true;
        }
    }

    public void Add(ReadOnlySpan<char> word, uint hash, TokenBuffer tokens)
    {
        if (count >= LargestCount)
        {
            Array.Clear(entries);
            (count, keyLength, valueLength) = (0, 0, 0);
        }
        else if (count * 2 >= entries.Length)
            Grow();

        int mask = entries.Length - 1;
        int at = (int)hash & mask;
        while (entries[at].KeyLength != 0)
            at = (at + 1) & mask;
        Fit(ref keys, keyLength + word.Length);
        Fit(ref ids, valueLength + tokens.Count);
        Fit(ref starts, valueLength + tokens.Count);
        Fit(ref ends, valueLength + tokens.Count);
        word.CopyTo(keys.AsSpan(keyLength));
        tokens.Ids.CopyTo(ids.AsSpan(valueLength));
        tokens.Starts.CopyTo(starts.AsSpan(valueLength));
        tokens.Ends.CopyTo(ends.AsSpan(valueLength));
        entries[at] = new Entry { Hash = hash, KeyStart = keyLength, KeyLength = word.Length, ValueStart = valueLength, ValueLength = tokens.Count };
        keyLength += word.Length;
        valueLength += tokens.Count;
        count++;
    }

    /// <summary>A multiplicative hash over four characters at a time.</summary>
    public static uint Hash(ReadOnlySpan<char> word)
    {
        ulong hash = (ulong)word.Length * 0x9E3779B97F4A7C15UL;
        ref byte p = ref Unsafe.As<char, byte>(ref MemoryMarshal.GetReference(word));
        int bytes = word.Length * 2;
        int at = 0;
        for (; at + 8 <= bytes; at += 8)
        {
            hash = (hash ^ Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref p, at))) * 0x9E3779B97F4A7C15UL;
            hash ^= hash >> 32;
        }

        ulong tail = 0;
        for (int shift = 0; at < bytes; at += 2, shift += 16)
            tail |= (ulong)Unsafe.ReadUnaligned<ushort>(ref Unsafe.Add(ref p, at)) << shift;
        hash = (hash ^ tail) * 0x9E3779B97F4A7C15UL;
        return (uint)(hash ^ (hash >> 32));
    }

    private void Grow()
    {
        Entry[] old = entries;
        entries = new Entry[old.Length * 4];
        int mask = entries.Length - 1;
        foreach (Entry entry in old)
        {
            if (entry.KeyLength == 0)
                continue;
            int at = (int)entry.Hash & mask;
            while (entries[at].KeyLength != 0)
                at = (at + 1) & mask;
            entries[at] = entry;
        }
    }

    private static void Fit<T>(ref T[] array, int length)
    {
        if (length > array.Length)
            Array.Resize(ref array, Math.Max(array.Length * 2, length));
    }
}
