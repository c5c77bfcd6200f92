// Several LoRA adapters of one base model as one, as PEFT's add_weighted_adapter combines them.
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Engine.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Adapters;

public enum CombineMethod
{
    /// <summary>A = Σ √(wᵢsᵢ)·Aᵢ, B = Σ √(wᵢsᵢ)·Bᵢ: small and approximate; all ranks must be equal.</summary>
    Linear,

    /// <summary>A = [wᵢsᵢ·Aᵢ], B = [Bᵢ] side by side: exactly Σ wᵢ·ΔWᵢ, the ranks add up.</summary>
    Cat,

    /// <summary>The best approximation of Σ wᵢ·ΔWᵢ that a rank can hold, by singular values.</summary>
    Svd,
}

/// <param name="Directory">A PEFT adapter.</param>
/// <param name="Weight">w; a negative one takes what the adapter learned away.</param>
public sealed record WeightedAdapter(string Directory, double Weight);

public static class AdapterCombiner
{
    /// <summary>Writes an adapter whose own scaling is 1 (lora_alpha = r).</summary>
    /// <param name="rank">Of <see cref="CombineMethod.Svd"/>; null: the largest of the adapters'.</param>
    /// <exception cref="DiagnosticException">LB0532: they cannot be combined. LB0420–LB0423: files cannot be read.</exception>
    public static void Combine(IReadOnlyList<WeightedAdapter> adapters, CombineMethod method, int? rank, string outputDirectory)
    {
        List<PeftAdapterFiles> files = [];
        try
        {
            foreach (WeightedAdapter adapter in adapters)
                files.Add(PeftAdapterFiles.Read(adapter.Directory));
            Check(files);
            using DisposeScope scope = NewDisposeScope();
            using IDisposable noGrad = no_grad();
            Write([.. files.Zip(adapters, (f, a) => (f, a.Weight))], method, rank, outputDirectory);
        }
        finally
        {
            foreach (PeftAdapterFiles file in files)
                file.Dispose();
        }
    }

    private static void Check(List<PeftAdapterFiles> files)
    {
        if (files.Count < 2)
            throw new DiagnosticException("LB0532", $"{files.Count} adapter is given; combining takes two or more");
        foreach (PeftAdapterFiles file in files)
        {
            string? reason = file.Config.UseDora ? "it is DoRA, whose magnitudes do not add up"
                : file.Replacements.Count + file.BaseWeights.Count + file.TokenRows.Count > 0 ? "it holds whole weights (modules_to_save, biases or token rows), which do not add up"
                : file.Pairs.Any(p => p.IsEmbedding) ? "it adapts the embedding"
                : null;
            if (reason is not null)
                throw new DiagnosticException("LB0532", $"the adapter cannot be combined with others: {reason}. Merge it into the base model instead", file.Directory);
        }

        foreach (IGrouping<string, (PeftAdapterFiles File, LoraPair Pair)> module in Modules(files))
        {
            if (module.Select(m => (m.Pair.A.Shape[1], m.Pair.B.Shape[0])).Distinct().Skip(1).Any())
                throw new DiagnosticException("LB0532", $"the adapters do not belong to one base model: '{module.Key}' has other sizes in one of them", module.Last().File.Directory);
        }
    }

    private static IEnumerable<IGrouping<string, (PeftAdapterFiles File, LoraPair Pair)>> Modules(IEnumerable<PeftAdapterFiles> files) =>
        files.SelectMany(f => f.Pairs.Select(p => (File: f, Pair: p))).GroupBy(p => p.Pair.ModulePath).OrderBy(g => g.Key, StringComparer.Ordinal);

    private static void Write(IReadOnlyList<(PeftAdapterFiles File, double Weight)> adapters, CombineMethod method, int? rank, string outputDirectory)
    {
        Dictionary<PeftAdapterFiles, double> weightOf = adapters.ToDictionary(a => a.File, a => a.Weight);
        List<(string Name, Tensor Value)> tensors = [];
        OrderedDictionary<string, int> ranks = [];
        foreach (IGrouping<string, (PeftAdapterFiles File, LoraPair Pair)> module in Modules(adapters.Select(a => a.File)))
        {
            (Tensor A, Tensor B, double Factor)[] parts = [.. module.Select(m => (Read(m.File, m.Pair.A), Read(m.File, m.Pair.B), weightOf[m.File] * m.File.Config.ScalingOf(m.Pair.ModulePath)))];
            (Tensor a, Tensor b) = method switch
            {
                CombineMethod.Linear => Linear(module.Key, parts),
                CombineMethod.Cat => (cat([.. parts.Select(p => p.A.mul(p.Factor))], 0), cat([.. parts.Select(p => p.B)], 1)),
                _ => Svd(parts, rank ?? (int)parts.Max(p => p.A.shape[0])),
            };
            tensors.Add((PeftAdapterFiles.KeyOfA(module.Key), a.contiguous()));
            tensors.Add((PeftAdapterFiles.KeyOfB(module.Key), b.contiguous()));
            ranks[module.Key] = (int)a.shape[0];
        }

        // One r for most modules; the others by their whole path.
        int common = ranks.Values.GroupBy(r => r).OrderByDescending(g => g.Count()).ThenByDescending(g => g.Key).First().Key;
        PeftAdapterConfig first = adapters[0].File.Config;
        PeftAdapterConfig config = new()
        {
            BaseModelNameOrPath = first.BaseModelNameOrPath,
            R = common,
            LoraAlpha = common,
            LoraDropout = 0,
            TargetModules = Names(ranks.Keys, adapters),
            RankPattern = new OrderedDictionary<string, int>(ranks.Where(r => r.Value != common).Select(r => KeyValuePair.Create(r.Key, r.Value))),
            AlphaPattern = new OrderedDictionary<string, double>(ranks.Where(r => r.Value != common).Select(r => KeyValuePair.Create(r.Key, (double)r.Value))),
        };
        PeftAdapterFiles.Write(outputDirectory, config, [.. tensors.Select(t => TensorTypes.ToWrite(t.Name, t.Value))]);
    }

    /// <summary>Last components where every adapter adapts the same modules; whole paths where a name would match more than the file holds.</summary>
    private static string[] Names(IEnumerable<string> paths, IReadOnlyList<(PeftAdapterFiles File, double Weight)> adapters)
    {
        bool isSame = adapters.All(a => a.File.Config.LayersToTransform is null && a.File.Config.TargetModulesPattern is null && a.File.Config.ExcludeModules.Count == 0 && a.File.Config.ExcludeModulesPattern is null);
        return [.. paths.Select(p => isSame ? p[(p.LastIndexOf('.') + 1)..] : p).Distinct().Order(StringComparer.Ordinal)];
    }

    private static (Tensor A, Tensor B) Linear(string module, (Tensor A, Tensor B, double Factor)[] parts)
    {
        if (parts.Select(p => p.A.shape[0]).Distinct().Skip(1).Any())
            throw new DiagnosticException("LB0532", $"the adapters have different ranks at '{module}' ({string.Join(", ", parts.Select(p => p.A.shape[0]))}), and linear needs equal ones; use cat or svd");
        // The sign stands at A alone, so that B·A has it once.
        Tensor a = Sum(parts.Select(p => p.A.mul(Math.Sign(p.Factor) * Math.Sqrt(Math.Abs(p.Factor)))));
        return (a, Sum(parts.Select(p => p.B.mul(Math.Sqrt(Math.Abs(p.Factor))))));
    }

    private static (Tensor A, Tensor B) Svd((Tensor A, Tensor B, double Factor)[] parts, int rank)
    {
        Tensor update = Sum(parts.Select(p => p.B.mm(p.A).mul(p.Factor))); // [out, in]
        long kept = Math.Min(rank, Math.Min(update.shape[0], update.shape[1]));
        (Tensor u, Tensor s, Tensor vh) = linalg.svd(update, fullMatrices: false);
        return (vh.narrow(0, 0, kept), u.narrow(1, 0, kept).mul(s.narrow(0, 0, kept).unsqueeze(0)));
    }

    private static Tensor Sum(IEnumerable<Tensor> tensors) => tensors.Aggregate((a, b) => a.add(b));

    private static Tensor Read(PeftAdapterFiles files, TensorEntry entry) => tensor(files.Weights.ReadFloat32(entry.Name), entry.Shape);
}
