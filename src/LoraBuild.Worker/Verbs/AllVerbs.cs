// The list of verbs, in the order of the help.
using System.CommandLine;

namespace LoraBuild.Worker.Verbs;

internal static class AllVerbs
{
    public static IEnumerable<Command> Create(VerbRunner runner) =>
    [
        TokenizeVerb.Create(runner),
        DetokenizeVerb.Create(runner),
        InspectVerb.Create(runner),
        FingerprintVerb.Create(runner),
        CorpusVerb.Create(runner),
        TrainTokenizerVerb.Create(runner),
        VersionVerb.Create(runner),
    ];
}
