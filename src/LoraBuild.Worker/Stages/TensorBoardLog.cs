// What a training run tells, as TensorBoard's event files under tensorboard/.
using LoraBuild.Core.Formats.TensorBoard;
using LoraBuild.Engine.Training;

namespace LoraBuild.Worker.Stages;

/// <summary>Tags are those of transformers' TensorBoardCallback and of TRL: train/… and eval/…</summary>
/// <param name="recipe">What the run is made from, a key a line.</param>
/// <param name="wallTime">Seconds since 1970, now.</param>
internal sealed class TensorBoardLog(string directory, string recipe, Func<double> wallTime) : ITrainingObserver, ISampleObserver, IDisposable
{
    private const string Evaluations = "eval/";
    private const string Samples = "samples/";
    private EventFileWriter? writer;

    public void Started(TrainingStarted started)
    {
        bool isFresh = started.FirstStep == 0;
        Open(started.FirstStep, (step, tag) => !isFresh && step <= (IsOfEvaluation(tag) ? started.EvaluatedStep : started.FirstStep));
        if (!isFresh)
            return;
        Write(EventMessage.Text(0, wallTime(), "recipe", $"```yaml\n{recipe.TrimEnd()}\n```"));
        Write(EventMessage.Text(0, wallTime(), "parameters", string.Join('\n', TrainingTables.Markdown(TrainingTables.Parameters(started)))));
    }

    public void Stepped(StepMetrics step)
    {
        List<(string Tag, double Value)> scalars =
        [
            ("train/loss", step.Loss),
            ("train/grad_norm", step.GradNorm),
            ("train/learning_rate", step.LearningRate),
            ("train/epoch", step.Epoch),
            ("train/tokens_per_second", step.TokensPerSecond),
            ("train/peak_memory_bytes", step.PeakMemoryBytes),
        ];
        AddPreference(scalars, "train/", step.Preference);
        Write(EventMessage.Scalars(step.Step, wallTime(), scalars));
        if (step.GradientNorms is { Count: > 0 } norms)
            Write(EventMessage.Histogram(step.Step, wallTime(), "train/grad_norms", EventHistogram.Of(norms)));
    }

    public void Evaluated(EvaluationMetrics evaluation)
    {
        List<(string Tag, double Value)> scalars = [(Evaluations + "loss", evaluation.Loss), (Evaluations + "perplexity", evaluation.Perplexity)];
        AddPreference(scalars, Evaluations, evaluation.Preference);
        Write(EventMessage.Scalars(evaluation.Step, wallTime(), scalars));
    }

    public void Sampled(IReadOnlyList<TrainingSample> samples)
    {
        foreach (TrainingSample sample in samples)
            Write(EventMessage.Text(sample.Step, wallTime(), string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{Samples}{sample.Number}"), $"{Quoted(sample.Question)}\n\n{Fenced(sample.Answer)}"));
    }

    public void WentBack(int step, int evaluatedStep)
    {
        writer?.Dispose();
        Open(step, (of, tag) => of <= (IsOfEvaluation(tag) ? evaluatedStep : step));
    }

    public void Dispose() => writer?.Dispose();

    private static bool IsOfEvaluation(string tag) => tag.StartsWith(Evaluations, StringComparison.Ordinal) || tag.StartsWith(Samples, StringComparison.Ordinal);

    private static void AddPreference(List<(string Tag, double Value)> scalars, string prefix, PreferenceMetrics? preference)
    {
        if (preference is null)
            return;
        scalars.Add((prefix + "rewards/accuracies", preference.Accuracy));
        scalars.Add((prefix + "rewards/margins", preference.Margin));
    }

    private static string Quoted(string text) => string.Join('\n', text.ReplaceLineEndings("\n").Split('\n').Select(line => "> " + line));

    /// <summary>Shown letter by letter: an answer's own headings and tables are not the page's.</summary>
    private static string Fenced(string text)
    {
        string fence = "```";
        while (text.Contains(fence, StringComparison.Ordinal))
            fence += "`";
        return $"{fence}\n{text}\n{fence}";
    }

    private void Open(int stepsDone, Func<long, string, bool> isKept) => writer = EventFileWriter.Open(directory, stepsDone + 1, isKept, wallTime());

    private void Write(byte[] data) => writer!.Write(data);
}
