// One row of a data file, whatever the file's kind.
using System.Text.Json.Nodes;

namespace LoraBuild.Core.Data;

/// <param name="Line">From 1: where the row begins.</param>
internal sealed record DataRow(JsonObject Fields, int Line);
