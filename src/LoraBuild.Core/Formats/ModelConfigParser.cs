// Normalises config.json: which keys a model type has, under which names, and what their absence means.
using System.Text.Json.Nodes;
using LoraBuild.Core.Diagnostics;

namespace LoraBuild.Core.Formats;

internal static class ModelConfigParser
{
    private const string Code = "LB0411";

    /// <summary>Ten times the deepest published model; a wrong number is told at once and not by a list of all that is missing.</summary>
    private const int MaxLayers = 2000;

    public static ModelConfig Parse(JsonObject raw, string file)
    {
        ConfigReader outer = new(raw, file, Code);
        ConfigReader text = outer.Nested("text_config") ?? outer;
        string outerType = outer.String("model_type");
        string? named = text.OptionalString("model_type");
        string fileType = named is null or "gemma3" ? (outerType == "gemma3" ? "gemma3_text" : outerType) : named;
        string modelType = ModelFamilies.Of(fileType) ?? throw new DiagnosticException("LB0500", ModelFamilies.UnknownText(fileType), file);
        ModelTypeDefaults defaults = ModelTypeDefaults.Of(fileType);

        int hiddenSize = text.Int("hidden_size", defaults.HiddenSize);
        int layers = text.Int("num_hidden_layers", defaults.NumHiddenLayers, 1, MaxLayers);
        int heads = text.Int("num_attention_heads", defaults.NumAttentionHeads);
        int keyValueHeads = text.Int("num_key_value_heads", (text.Mentions("num_key_value_heads") ? null : defaults.NumKeyValueHeads) ?? heads); // null: as many as heads
        if (heads % keyValueHeads != 0)
            throw text.Wrong($"num_attention_heads = {heads} must be a multiple of num_key_value_heads = {keyValueHeads}");
        if (!text.Has("head_dim") && defaults.HeadDim is null && hiddenSize % heads != 0)
            throw text.Wrong($"hidden_size = {hiddenSize} must be a multiple of num_attention_heads = {heads} where head_dim is not given");
        int maxPositions = text.Int("max_position_embeddings", defaults.MaxPositionEmbeddings);
        int? window = SlidingWindow(text, defaults);
        IReadOnlyList<LayerAttention> layerTypes = LayerTypes(text, fileType, layers, window);
        (RopeConfig rope, RopeConfig slidingRope) = Ropes(text, defaults, maxPositions);
        (bool hasQkvBias, bool hasOutputBias) = AttentionBiases(text, fileType, defaults);
        IReadOnlyList<int> bos = IdsOf(outer, text, "bos_token_id", defaults.BosTokenId);
        IReadOnlyList<int> pad = IdsOf(outer, text, "pad_token_id", defaults.PadTokenId);

        return new ModelConfig
        {
            Raw = raw,
            FilePath = file,
            ModelType = modelType,
            FileModelType = fileType,
            OuterModelType = outerType,
            Architectures = outer.Strings("architectures"),
            VocabSize = text.Int("vocab_size", defaults.VocabSize),
            HiddenSize = hiddenSize,
            IntermediateSize = text.Int("intermediate_size", defaults.IntermediateSize),
            NumHiddenLayers = layers,
            NumAttentionHeads = heads,
            NumKeyValueHeads = keyValueHeads,
            HeadDim = text.Int("head_dim", defaults.HeadDim ?? hiddenSize / heads),
            // Gemma's first files carry a wrong hidden_act beside hidden_activation; transformers reads the latter.
            HiddenAct = text.OptionalString("hidden_activation") ?? (defaults.IsGemma ? "gelu_pytorch_tanh" : text.OptionalString("hidden_act") ?? "silu"),
            MaxPositionEmbeddings = maxPositions,
            RmsNormEps = text.Double("rms_norm_eps", defaults.RmsNormEps),
            TieWordEmbeddings = outer.Has("tie_word_embeddings") ? outer.Bool("tie_word_embeddings", false) : text.Bool("tie_word_embeddings", defaults.TieWordEmbeddings),
            AttentionBias = hasQkvBias,
            AttentionOutputBias = hasOutputBias,
            MlpBias = text.Bool("mlp_bias", false),
            Rope = rope,
            SlidingRope = slidingRope,
            SlidingWindow = layerTypes.Contains(LayerAttention.Sliding) ? window : null,
            LayerTypes = layerTypes,
            LayersWithoutRope = LayersWithoutRope(text, fileType, layers),
            QueryPreAttnScalar = text.OptionalDouble("query_pre_attn_scalar") ?? defaults.QueryPreAttnScalar,
            AttnLogitSoftcapping = text.Mentions("attn_logit_softcapping") ? text.OptionalDouble("attn_logit_softcapping") : defaults.AttnLogitSoftcapping,
            FinalLogitSoftcapping = text.Mentions("final_logit_softcapping") ? text.OptionalDouble("final_logit_softcapping") : defaults.FinalLogitSoftcapping,
            EmbeddingMultiplier = text.Double("embedding_multiplier", 1),
            AttentionMultiplier = text.OptionalDouble("attention_multiplier") ?? (modelType == "granite" ? 1 : null),
            ResidualMultiplier = text.Double("residual_multiplier", 1),
            LogitsScaling = text.Double("logits_scaling", 1),
            BosTokenId = bos.Count > 0 ? bos[0] : null,
            EosTokenIds = IdsOf(outer, text, "eos_token_id", defaults.EosTokenId),
            PadTokenId = pad.Count > 0 ? pad[0] : null,
            Dtype = DtypeOf(outer, text),
        };
    }

    private static (bool QueryKeyValue, bool Output) AttentionBiases(ConfigReader text, string fileType, ModelTypeDefaults defaults)
    {
        bool has = text.Bool(fileType == "internlm" ? "bias" : "attention_bias", fileType == "internlm" || defaults.AttentionBias);
        return fileType switch
        {
            "qwen2" => (true, false), // not a key there: every Qwen2 has them
            "seed_oss" => (has, text.Bool("attention_out_bias", false)),
            _ => (has, has),
        };
    }

    /// <summary><c>no_rope_layers</c> has 1 where a layer rotates (the name says the opposite); without it every fourth does not.</summary>
    private static IReadOnlyList<int> LayersWithoutRope(ConfigReader text, string fileType, int layers)
    {
        if (fileType != "smollm3")
            return [];
        if (!text.Has("no_rope_layers"))
        {
            int interval = text.Int("no_rope_layer_interval", 4);
            return [.. Enumerable.Range(0, layers).Where(i => (i + 1) % interval == 0)];
        }

        IReadOnlyList<int> rotates = text.Ids("no_rope_layers");
        if (rotates.Count != layers || rotates.Any(r => r is not (0 or 1)))
            throw text.Wrong("no_rope_layers", text.Root["no_rope_layers"], $"a list of {layers} numbers, 1 where a layer rotates and 0 where it does not");
        return [.. Enumerable.Range(0, layers).Where(i => rotates[i] == 0)];
    }

    /// <summary>The outer file's word counts first (Gemma 3 multimodal names its eos ids there); an explicit null is none.</summary>
    private static IReadOnlyList<int> IdsOf(ConfigReader outer, ConfigReader text, string key, int? fallback)
    {
        if (outer.Mentions(key))
            return outer.Ids(key);
        return text.Mentions(key) ? text.Ids(key) : fallback is int id ? [id] : [];
    }

    private static TensorDtype? DtypeOf(ConfigReader outer, ConfigReader text)
    {
        string? name = outer.OptionalString("dtype") ?? outer.OptionalString("torch_dtype") ?? text.OptionalString("dtype") ?? text.OptionalString("torch_dtype");
        if (name is null or "auto")
            return null;
        return TensorDtypes.TryParseTorch(name, out TensorDtype dtype) && dtype.IsFloat()
            ? dtype
            : throw outer.Wrong(outer.Has("dtype") ? "dtype" : "torch_dtype", name, "float32, bfloat16, float16 or float64");
    }

    private static int? SlidingWindow(ConfigReader text, ModelTypeDefaults defaults)
    {
        if (defaults.NeedsUseSlidingWindow && !text.Bool("use_sliding_window", false))
            return null; // Qwen writes sliding_window although it is off
        return text.Mentions("sliding_window") ? text.OptionalInt("sliding_window") : defaults.SlidingWindow;
    }

    private static LayerAttention[] LayerTypes(ConfigReader text, string modelType, int layers, int? window)
    {
        LayerAttention[] types = new LayerAttention[layers];
        if (text.Has("layer_types"))
        {
            IReadOnlyList<string> names = text.Strings("layer_types");
            if (names.Count != layers)
                throw text.Wrong($"layer_types has {names.Count} entries but num_hidden_layers is {layers}");
            for (int i = 0; i < layers; i++)
            {
                types[i] = names[i] switch
                {
                    "full_attention" => LayerAttention.Full,
                    "sliding_attention" => LayerAttention.Sliding,
                    _ => throw text.Wrong("layer_types", names[i], "full_attention or sliding_attention"),
                };
            }

            if (types.Contains(LayerAttention.Sliding) && window is null)
                throw text.Wrong("layer_types names sliding layers but there is no sliding_window");
            return types;
        }

        if (window is null)
            return types;
        int pattern = text.OptionalInt("sliding_window_pattern") ?? text.OptionalInt("_sliding_window_pattern") ?? 6;
        int maxWindowLayers = text.Int("max_window_layers", 28, 0);
        for (int i = 0; i < layers; i++)
        {
            bool isSliding = modelType switch
            {
                "gemma2" => i % 2 == 0,
                "gemma3_text" => (i + 1) % pattern != 0,
                "qwen2" or "qwen3" => i >= maxWindowLayers,
                "mistral" or "ministral" or "phi3" => true,
                "smollm3" => LayersWithoutRope(text, modelType, layers).Contains(i),
                _ => false,
            };
            types[i] = isSliding ? LayerAttention.Sliding : LayerAttention.Full;
        }

        return types;
    }

    private static (RopeConfig Full, RopeConfig Sliding) Ropes(ConfigReader text, ModelTypeDefaults defaults, int maxPositions)
    {
        double theta = text.Double("rope_theta", defaults.RopeTheta);
        double localTheta = text.Double("rope_local_base_freq", 10000);
        ConfigReader? parameters = text.Nested("rope_parameters");
        if (parameters?.Nested("full_attention") is ConfigReader full)
        {
            RopeConfig global = RopeConfig.Read(full, text, defaults, theta, maxPositions);
            return (global, parameters.Nested("sliding_attention") is ConfigReader local ? RopeConfig.Read(local, text, defaults, localTheta, maxPositions) : global);
        }

        RopeConfig rope = RopeConfig.Read(parameters ?? text.Nested("rope_scaling"), text, defaults, theta, maxPositions);
        return (rope, defaults.HasLocalRope ? RopeConfig.Read(null, text, defaults, localTheta, maxPositions) : rope);
    }
}
