// What preference training is told, flat.
namespace LoraBuild.Engine.Training.Preference;

public enum PreferenceLossKind
{
    /// <summary>Rafailov et al. 2023.</summary>
    Dpo,

    /// <summary>Azar et al. 2023.</summary>
    Ipo,

    /// <summary>Meng, Xia and Chen 2024: length-normalised and without a reference.</summary>
    SimPo,

    /// <summary>Hong, Lee and Thorne 2024: likelihood and odds ratio, without a reference.</summary>
    Orpo,

    /// <summary>Ethayarajh et al. 2024, from pairs: one desirable and one undesirable answer each.</summary>
    Kto,
}

public sealed record PreferenceOptions
{
    public PreferenceLossKind Loss { get; init; }

    /// <summary>β of DPO, IPO, SimPO and KTO; λ of ORPO.</summary>
    public double Beta { get; init; } = 0.1;

    /// <summary>ε of conservative DPO and of SimPO: the share of pairs thought to be labelled the wrong way round.</summary>
    public double LabelSmoothing { get; init; }

    /// <summary>DPO over the mean log probability of an answer's tokens instead of their sum.</summary>
    public bool IsLengthNormalized { get; init; }

    /// <summary>DPO without the reference model.</summary>
    public bool IsReferenceFree { get; init; }

    /// <summary>γ, SimPO's margin.</summary>
    public double Gamma { get; init; } = 0.5;

    /// <summary>KTO's weight of desirable answers.</summary>
    public double DesirableWeight { get; init; } = 1;

    /// <summary>KTO's weight of undesirable answers.</summary>
    public double UndesirableWeight { get; init; } = 1;

    /// <summary>The loss compares with the model as it was before.</summary>
    public bool NeedsReference => Loss is PreferenceLossKind.Ipo or PreferenceLossKind.Kto || (Loss == PreferenceLossKind.Dpo && !IsReferenceFree);
}
