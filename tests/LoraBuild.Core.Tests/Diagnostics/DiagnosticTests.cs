// The printed form of a finding, and what collects findings.
using LoraBuild.Core.Diagnostics;

namespace LoraBuild.Core.Tests.Diagnostics;

public sealed class DiagnosticTests
{
    [Theory]
    [InlineData("/a/b.yaml", 3, 4, "/a/b.yaml(3,4): error LB0012: text")]
    [InlineData("/a/b.yaml", 3, 0, "/a/b.yaml(3): error LB0012: text")]
    [InlineData("/a/b.yaml", 0, 0, "/a/b.yaml: error LB0012: text")]
    [InlineData(null, 0, 0, "lorabuild: error LB0012: text")]
    public void An_error_prints_the_place_as_far_as_it_is_known(string? file, int line, int column, string expected) =>
        Assert.Equal(expected, Diagnostic.Error("LB0012", "text", file, line, column).ToString());

    [Fact]
    public void Warnings_and_infos_print_their_severity()
    {
        Assert.Equal("f(1,2): warning LB0001: text", Diagnostic.Warning("LB0001", "text", "f", 1, 2).ToString());
        Assert.Equal("f(1,2): info LB0001: text", Diagnostic.Info("LB0001", "text", "f", 1, 2).ToString());
    }

    [Fact]
    public void A_bag_keeps_the_order_forwards_and_knows_whether_there_is_an_error()
    {
        DiagnosticBag outer = new();
        DiagnosticBag bag = new(outer);
        bag.Report(Diagnostic.Warning("LB0001", "one"));
        Assert.False(bag.HasErrors);
        bag.ThrowIfErrors();
        bag.Report(Diagnostic.Error("LB0002", "two"));
        bag.Report(Diagnostic.Info("LB0003", "three"));
        Assert.True(bag.HasErrors);
        Assert.True(outer.HasErrors);
        Assert.Equal(["LB0001", "LB0002", "LB0003"], outer.All.Select(d => d.Code));
        Assert.Equal("LB0002", Assert.Single(Assert.Throws<DiagnosticException>(bag.ThrowIfErrors).Diagnostics).Code);
    }

    [Fact]
    public void An_exception_says_all_its_errors_and_has_at_least_one()
    {
        DiagnosticException two = new([Diagnostic.Error("LB0001", "one"), Diagnostic.Error("LB0002", "two")]);
        Assert.Equal($"lorabuild: error LB0001: one{Environment.NewLine}lorabuild: error LB0002: two", two.Message);
        Assert.Equal(("LB0003", 7), (new DiagnosticException("LB0003", "x", "f", 7).Diagnostics[0].Code, new DiagnosticException("LB0003", "x", "f", 7).Diagnostics[0].Line));
        Assert.Throws<ArgumentOutOfRangeException>(() => new DiagnosticException([]));
    }
}
