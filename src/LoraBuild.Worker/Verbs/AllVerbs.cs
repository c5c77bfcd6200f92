// The list of verbs, in the order of the help.
using System.CommandLine;

namespace LoraBuild.Worker.Verbs;

internal static class AllVerbs
{
    public static IEnumerable<Command> Create(VerbRunner runner) =>
    [
        PrepareVerb.Create(runner),
        TemplateVerb.Create(runner),
        TrainVerb.Create(runner),
        EvaluateVerb.Create(runner),
        MergeVerb.Create(runner),
        CombineVerb.Create(runner),
        ExportGgufVerb.Create(runner),
        PlanVerb.Create(runner),
        FetchVerb.Create(runner),
        PerplexityVerb.Create(runner),
        GenerateVerb.Create(runner),
        ChatVerb.Create(runner),
        LogitsVerb.Create(runner),
        TokenizeVerb.Create(runner),
        DetokenizeVerb.Create(runner),
        RenderVerb.Create(runner),
        JinjaVerb.Create(runner),
        InspectVerb.Create(runner),
        FingerprintVerb.Create(runner),
        CorpusVerb.Create(runner),
        TrainTokenizerVerb.Create(runner),
        VersionVerb.Create(runner),
    ];
}
