namespace LoraBuild.Tasks.Tests;

public sealed class WorkerEventTests
{
    [Fact]
    public void A_diagnostic_keeps_code_file_line_and_column()
    {
        WorkerEvent e = WorkerEvent.Parse("""{"event":"diagnostic","severity":"warning","code":"LB0104","message":"two columns","file":"/data/a.jsonl","line":17,"column":3}""");
        Assert.Equal(new WorkerEvent(WorkerEventKind.Diagnostic, "two columns", "warning", "LB0104", "/data/a.jsonl", 17, 3), e);
    }

    [Fact]
    public void A_diagnostic_without_place_has_none()
    {
        WorkerEvent e = WorkerEvent.Parse("""{"event":"diagnostic","severity":"error","code":"LB0810","message":"full"}""");
        Assert.Equal((null, 0, 0), (e.File, e.Line, e.Column));
    }

    [Theory]
    [InlineData("x.cs(1,2): error CS0001: not a build error")]
    [InlineData("{\"text\": \"a: error b: c\"}")]
    [InlineData("{\"event\": \"diagnostic\"")]
    [InlineData("{\"event\": 5}")]
    [InlineData("")]
    public void What_is_no_event_is_kept_as_a_line(string line) =>
        Assert.Equal(new WorkerEvent(WorkerEventKind.Other, line), WorkerEvent.Parse(line));

    [Fact]
    public void Numbers_of_another_type_are_no_place() =>
        Assert.Equal(0, WorkerEvent.Parse("""{"event":"diagnostic","code":"LB0001","message":"m","line":"x","column":1.5}""").Line);

    [Theory]
    [InlineData("progress", WorkerEventKind.Progress)]
    [InlineData("message", WorkerEventKind.Message)]
    public void Text_events_carry_their_text(string kind, WorkerEventKind expected) =>
        Assert.Equal(new WorkerEvent(expected, "step 1"), WorkerEvent.Parse($$"""{"event":"{{kind}}","text":"step 1"}"""));
}
