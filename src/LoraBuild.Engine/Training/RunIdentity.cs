// What makes two runs the same run: everything that decides the resulting weights, hashed.
using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using LoraBuild.Core.Formats;
using LoraBuild.Engine.Training.Preference;

namespace LoraBuild.Engine.Training;

public static class RunIdentity
{
    /// <summary>SHA-256 in hex over the options (not logging, saving or resuming, and not the length of the run, which the schedule is asked about), the documents, and what is trained.</summary>
    /// <param name="trained">Name, type and shape of each trained parameter.</param>
    public static string Compute(TrainOptions options, TokenDocuments train, TokenDocuments? evaluation, IEnumerable<string> trained)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        AppendText(hash, OptionsText(options));
        AppendDocuments(hash, train);
        if (evaluation is not null)
            AppendDocuments(hash, evaluation);
        foreach (string parameter in trained)
            AppendText(hash, parameter);
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private static string OptionsText(TrainOptions o) => string.Create(
        CultureInfo.InvariantCulture,
        $"{o.Seed} {o.BatchSize} {o.AccumulationSteps} {o.Packing} {o.MaxLength} {o.Shuffle} {o.GroupByLength} {o.LearningRate:R} {o.Schedule} {ScheduleText(o.ScheduleArguments)} {o.WarmupRatio:R} {o.WarmupSteps} {o.Optimizer} {o.SgdMomentum:R} {o.LoraPlusRatio:R} {o.WeightDecay:R} {o.AdamBeta1:R} {o.AdamBeta2:R} {o.AdamEpsilon:R} {o.MaxGradNorm:R} {o.LabelSmoothing:R} {o.NeftuneNoiseAlpha:R} {PreferenceText(o.Preference)} {o.EvalSteps:R} {o.LoadBestModelAtEnd} {o.EarlyStoppingPatience} {o.EarlyStoppingThreshold:R} {o.MetricForBestModel} {o.GreaterIsBetter} {o.Guard.OnNan} {o.Guard.LossSpike:R} {o.Guard.GradNorm:R} {o.Guard.MostInterventions} {o.Guard.RateFactor:R} {o.EvaluationBatchTokens} {o.ExternalIdentity}");

    private static string ScheduleText(ScheduleArguments a) => string.Create(
        CultureInfo.InvariantCulture,
        $"{a.NumCycles:R} {a.MinLr:R} {a.MinLrRate:R} {a.WarmupLrRate:R} {a.Power:R} {a.LrEnd:R} {a.Timescale} {a.NumDecaySteps} {a.NumStableSteps} {a.WarmupType} {a.DecayType} {a.MinLrRatio:R}");

    private static string PreferenceText(PreferenceOptions p) => string.Create(
        CultureInfo.InvariantCulture,
        $"{p.Loss} {p.Beta:R} {p.LabelSmoothing:R} {p.IsLengthNormalized} {p.IsReferenceFree} {p.Gamma:R} {p.DesirableWeight:R} {p.UndesirableWeight:R}");

    private static void AppendText(IncrementalHash hash, string text)
    {
        hash.AppendData(Encoding.UTF8.GetBytes(text));
        hash.AppendData([0]);
    }

    private static void AppendDocuments(IncrementalHash hash, TokenDocuments documents)
    {
        hash.AppendData(MemoryMarshal.AsBytes(documents.InputIds.AsSpan()));
        hash.AppendData(MemoryMarshal.AsBytes(documents.Labels.AsSpan()));
        hash.AppendData(MemoryMarshal.AsBytes(documents.Offsets.AsSpan()));
        hash.AppendData([documents.IsPairs ? (byte)1 : (byte)0]);
    }
}
