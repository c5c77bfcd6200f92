// The hub's refusals in words: what is wrong and what to do about it.
using System.Net;
using System.Text.Json;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Recipes;

namespace LoraBuild.Core.Hub;

internal static class HubErrors
{
    private const int RevisionsInMessage = 8;

    public static DiagnosticException Refused(HubStatusException e, HubName name, bool hasToken, Uri page)
    {
        string words = e.ErrorMessage is null ? "" : $" The hub says: {e.ErrorMessage}";
        if (e.ErrorCode == "GatedRepo")
        {
            string token = hasToken
                ? "The token that is used (HF_TOKEN or the one of `hf auth login`) belongs to an account that has not been given access, or may not read gated models."
                : "No token is set.";
            return new DiagnosticException("LB0058", $"{name} is gated: its authors ask everyone to accept a license first. {token} Accept the license at {page} with your account, make a token with read access there, and set HF_TOKEN to it.{words}");
        }

        if (e.Status == HttpStatusCode.NotFound || e.ErrorCode == "RepoNotFound")
        {
            string hidden = hasToken ? "The token that is used may not see it, either." : "A private model needs a token: set HF_TOKEN.";
            return e.ErrorCode == "EntryNotFound"
                ? new DiagnosticException("LB0060", $"a file of {name} is listed, but is not there.{words}")
                : new DiagnosticException("LB0060", $"there is no model {name.Id} at {page.GetLeftPart(UriPartial.Authority)}, or it is private. Check the spelling of org/name. {hidden}{words}");
        }

        string about = hasToken
            ? "The token that is used (HF_TOKEN or the one of `hf auth login`) is not valid, has expired, or has no right to read this model."
            : "Set HF_TOKEN to a token that may read it.";
        return new DiagnosticException("LB0059", $"the hub refuses to give {name} ({(int)e.Status}). {about}{words}");
    }

    public static DiagnosticException NoRevision(HubName name, IReadOnlyList<string> revisions)
    {
        string nearest = RecipeText.Nearest(name.RevisionOrMain, revisions) is { } near ? $" Did you mean {name.Id}@{near}?" : "";
        string list = revisions.Count == 0 ? "" : $" It has: {string.Join(", ", revisions.Take(RevisionsInMessage))}{(revisions.Count > RevisionsInMessage ? ", …" : "")}.";
        return new DiagnosticException("LB0061", $"{name.Id} has no revision {name.RevisionOrMain}.{nearest}{list} A revision is a branch, a tag, or a whole commit.");
    }

    /// <summary>Branches and tags out of the hub's list of references.</summary>
    public static IReadOnlyList<string> Revisions(byte[] json, Uri source)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = 64 });
            List<string> names = [];
            foreach (string kind in (string[])["branches", "tags"])
            {
                if (document.RootElement.TryGetProperty(kind, out JsonElement list) && list.ValueKind == JsonValueKind.Array)
                    names.AddRange(list.EnumerateArray().Select(r => r.GetProperty("name").GetString() ?? "").Where(n => n.Length is > 0 and < 128 && !n.Any(char.IsControl)));
            }

            return names;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            throw HubListing.Wrong(source, "it is not the JSON that was expected");
        }
    }
}
