// What a fetch tells, as lines for people and values for programs.
using System.Globalization;
using System.Text.Json.Nodes;
using LoraBuild.Core.Hub;

namespace LoraBuild.Worker.Hosting;

internal sealed class FetchReporter(IReporter reporter) : IHubObserver
{
    public void Message(string text) => reporter.Message(text);

    public void Progress(HubProgress progress) => reporter.Progress(
        string.Create(
            CultureInfo.InvariantCulture,
            $"fetch: {progress.Model}: {progress.Done / 1e6:N0} of {progress.Total / 1e6:N0} MB  {progress.BytesPerSecond / 1e6:N1} MB/s{(progress.TimeLeft is { } left ? $"  {Clock.Text(left)} left" : "")}"),
        new JsonObject
        {
            ["stage"] = "fetch",
            ["model"] = progress.Model,
            ["bytes"] = progress.Done,
            ["total_bytes"] = progress.Total,
            ["bytes_per_second"] = progress.BytesPerSecond,
            ["seconds_left"] = progress.TimeLeft?.TotalSeconds,
        });
}
