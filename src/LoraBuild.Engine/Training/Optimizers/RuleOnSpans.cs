// A rule for one element on spans of any length.
using System.Numerics;
using System.Runtime.InteropServices;

namespace LoraBuild.Engine.Training.Optimizers;

internal static class RuleOnSpans
{
    /// <summary>Whole vectors in place; the rest through a vector of its own, so that every element sees the same arithmetic.</summary>
    public static void Update(IElementwiseRule rule, in UpdateNumbers numbers, Span<float> p, ReadOnlySpan<float> g, Span<float> first, Span<float> second)
    {
        rule.Update(numbers, Vectors(p), MemoryMarshal.Cast<float, Vector<float>>(g), Vectors(first), Vectors(second));
        int done = p.Length / Vector<float>.Count * Vector<float>.Count;
        if (done == p.Length)
            return;
        int rest = p.Length - done;
        Span<float> padded = stackalloc float[4 * Vector<float>.Count];
        padded.Clear();
        Span<float> lastP = padded[..Vector<float>.Count];
        Span<float> lastG = padded.Slice(Vector<float>.Count, Vector<float>.Count);
        Span<float> last1 = first.IsEmpty ? [] : padded.Slice(2 * Vector<float>.Count, Vector<float>.Count);
        Span<float> last2 = second.IsEmpty ? [] : padded.Slice(3 * Vector<float>.Count, Vector<float>.Count);
        p[done..].CopyTo(lastP);
        g[done..].CopyTo(lastG);
        if (!first.IsEmpty)
            first[done..].CopyTo(last1);
        if (!second.IsEmpty)
            second[done..].CopyTo(last2);
        rule.Update(numbers, Vectors(lastP), Vectors(lastG), Vectors(last1), Vectors(last2));
        lastP[..rest].CopyTo(p[done..]);
        if (!first.IsEmpty)
            last1[..rest].CopyTo(first[done..]);
        if (!second.IsEmpty)
            last2[..rest].CopyTo(second[done..]);
    }

    private static Span<Vector<float>> Vectors(Span<float> values) => MemoryMarshal.Cast<float, Vector<float>>(values);
}
