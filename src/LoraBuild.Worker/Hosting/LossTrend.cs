// Which way the loss goes: an arrow, and a small curve of what it was.
namespace LoraBuild.Worker.Hosting;

/// <summary>A single step says little: the arrow compares the mean of the last steps with the mean of as many before them.</summary>
internal sealed class LossTrend
{
    private const int Window = 8;
    private const double Still = 0.002; // a change below this share of the loss is none
    private const string Heights = "▁▂▃▄▅▆▇█";
    private readonly List<double> losses = [];

    /// <summary>A loss that is not finite has no place in a curve.</summary>
    public void Add(double loss)
    {
        if (double.IsFinite(loss))
            losses.Add(loss);
    }

    public void Clear() => losses.Clear();

    /// <summary>↘ falls, ↗ rises, → neither; a blank while there are too few steps to say.</summary>
    public char Arrow
    {
        get
        {
            int window = Math.Min(Window, losses.Count / 2);
            if (window == 0)
                return ' ';
            double last = losses.TakeLast(window).Average();
            double before = losses.SkipLast(window).TakeLast(window).Average();
            double change = (last - before) / Math.Max(Math.Abs(before), double.Epsilon);
            return change < -Still ? '↘' : change > Still ? '↗' : '→';
        }
    }

    /// <summary>The whole run in <paramref name="width"/> characters, each the mean of its steps, from the lowest to the highest; empty before the second step.</summary>
    public string Curve(int width)
    {
        int columns = Math.Min(width, losses.Count);
        if (columns < 2)
            return "";
        double[] means = [.. Enumerable.Range(0, columns).Select(c => losses[(int)((long)c * losses.Count / columns)..(int)((long)(c + 1) * losses.Count / columns)].Average())];
        (double low, double high) = (means.Min(), means.Max());
        return string.Concat(means.Select(m => Heights[high > low ? (int)Math.Round((m - low) / (high - low) * (Heights.Length - 1)) : 0]));
    }
}
