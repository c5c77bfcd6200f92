// What a pipeline project says about warnings, with the real `dotnet build`.
namespace LoraBuild.EndToEnd.Tests;

public sealed class WarningBuildTests
{
    private const string Warns = """{"messages": [{"role": "user", "content": "what does <|im_end|> mean?"}, {"role": "assistant", "content": "the end of a turn"}]}""";

    [Fact]
    public void A_warning_is_promoted_excepted_and_silenced_as_the_project_says_and_a_promoted_one_is_never_up_to_date()
    {
        using TemporaryPipeline pipeline = new();
        File.AppendAllText(pipeline.Data, Warns + "\n");
        string at = @"data\.jsonl\(49\): LoraBuild ";

        // On the command line, in the project, and by MSBuild's own names and switch: each time again, because the stage is not done.
        foreach (string[] strict in new string[][] { ["-p:TreatWarningsAsErrors=true"], ["-p:TreatWarningsAsErrors=true"], ["-p:MSBuildTreatWarningsAsErrors=true"], ["-p:WarningsAsErrors=LB0317"], ["-warnaserror:LB0317"], ["-warnaserror:LB0317"] })
        {
            BuildResult failed = Template(strict);
            Assert.True(failed.ExitCode == 1, failed.Output);
            Assert.Matches(at + "error LB0317", failed.Output);
            Assert.Equal(["PrepareDataset"], pipeline.FinishedStages());
        }

        SetProperty("<WarningsAsErrors>LB0318;LB0317</WarningsAsErrors>");
        Assert.Equal(1, Template().ExitCode);
        SetProperty("<TreatWarningsAsErrors>true</TreatWarningsAsErrors><WarningsNotAsErrors>LB0317</WarningsNotAsErrors>");
        BuildResult excepted = Template();
        Assert.True(excepted.ExitCode == 0, excepted.Output);
        Assert.Matches(at + "warning LB0317", excepted.Output);
        Assert.Equal(["PrepareDataset", "ApplyChatTemplate"], pipeline.FinishedStages());

        // An up-to-date stage says nothing again, as compilers do; audit.json still has it.
        BuildResult again = Template();
        Assert.Contains("ApplyChatTemplate: up to date", again.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("LB0317", again.Output, StringComparison.Ordinal);
        Assert.Contains("LB0317", File.ReadAllText(pipeline.Out("audit.json")), StringComparison.Ordinal);

        foreach (string name in new[] { "NoWarn", "MSBuildWarningsAsMessages" })
        {
            SetProperty($"<TreatWarningsAsErrors>true</TreatWarningsAsErrors><{name}>LB0317</{name}>");
            Assert.Equal(0, pipeline.Build("-t:Clean").ExitCode);
            BuildResult silent = Template();
            Assert.True(silent.ExitCode == 0, silent.Output);
            Assert.DoesNotContain("LB0317:", silent.Output, StringComparison.Ordinal);
        }

        BuildResult Template(params string[] arguments) => pipeline.Build(["-t:ApplyChatTemplate", .. arguments]);

        void SetProperty(string xml)
        {
            string project = File.ReadAllText(pipeline.In("x.proj"));
            int start = project.IndexOf("<Threads>", StringComparison.Ordinal);
            int end = project.IndexOf("<ProgressInterval>", StringComparison.Ordinal);
            File.WriteAllText(pipeline.In("x.proj"), string.Concat(project.AsSpan(0, start), "<Threads>1</Threads>", xml, project.AsSpan(end)));
        }
    }
}
