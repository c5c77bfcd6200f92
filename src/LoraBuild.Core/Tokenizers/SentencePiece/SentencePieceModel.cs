// What a SentencePiece model file (tokenizer.model) says.
using LoraBuild.Core.Diagnostics;

namespace LoraBuild.Core.Tokenizers.SentencePiece;

/// <summary>The numbers of sentencepiece_model.proto.</summary>
internal enum PieceType
{
    Normal = 1,
    Unknown = 2,
    Control = 3,
    UserDefined = 4,
    Unused = 5,
    Byte = 6,
}

internal enum SentencePieceType
{
    Unigram = 1,
    Bpe = 2,
    Word = 3,
    Char = 4,
}

internal sealed record Piece(string Text, float Score, PieceType Type);

/// <summary>Field numbers and defaults: sentencepiece_model.proto, messages ModelProto, TrainerSpec and NormalizerSpec.</summary>
internal sealed record SentencePieceModel(IReadOnlyList<Piece> Pieces)
{
    public SentencePieceType Type { get; private init; } = SentencePieceType.Unigram;

    public bool HasByteFallback { get; private init; }

    public bool TreatsSpaceAsSuffix { get; private init; }

    public int UnknownId { get; private init; }

    public int BosId { get; private init; } = 1;

    public int EosId { get; private init; } = 2;

    public int PadId { get; private init; } = -1;

    public byte[] PrecompiledCharsMap { get; private init; } = [];

    public bool AddsDummyPrefix { get; private init; } = true;

    public bool RemovesExtraSpaces { get; private init; } = true;

    public bool EscapesSpaces { get; private init; } = true;

    /// <exception cref="DiagnosticException">LB0201: the file cannot be read; LB0211: it is not a SentencePiece model.</exception>
    public static SentencePieceModel Read(string file)
    {
        byte[] bytes = JsonSource.ReadBytes(file);
        try
        {
            SentencePieceModel model = Parse(bytes);
            return model.Pieces.Count > 0 ? model : throw new FormatException("it has no pieces");
        }
        catch (FormatException e)
        {
            throw new DiagnosticException("LB0211", $"this is not a SentencePiece model: {e.Message}. Fetch it again (it may be a Git LFS pointer), or convert the tokenizer to a tokenizer.json", file);
        }
    }

    private static SentencePieceModel Parse(byte[] bytes)
    {
        List<Piece> pieces = [];
        SentencePieceModel model = new(pieces);
        ProtobufReader reader = new(bytes);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    pieces.Add(ParsePiece(reader.Message));
                    break;
                case 2:
                    model = ParseTrainer(reader.Message, model);
                    break;
                case 3:
                    model = ParseNormalizer(reader.Message, model);
                    break;
            }
        }

        return model;
    }

    private static Piece ParsePiece(ProtobufReader reader)
    {
        Piece piece = new("", 0, PieceType.Normal);
        while (reader.Next())
        {
            piece = reader.Field switch
            {
                1 => piece with { Text = reader.Text },
                2 => piece with { Score = reader.Single },
                3 => piece with { Type = (PieceType)reader.Integer },
                _ => piece,
            };
        }

        return piece;
    }

    private static SentencePieceModel ParseTrainer(ProtobufReader reader, SentencePieceModel model)
    {
        while (reader.Next())
        {
            model = reader.Field switch
            {
                3 => model with { Type = (SentencePieceType)reader.Integer },
                24 => model with { TreatsSpaceAsSuffix = reader.Boolean },
                35 => model with { HasByteFallback = reader.Boolean },
                40 => model with { UnknownId = (int)reader.Integer },
                41 => model with { BosId = (int)reader.Integer },
                42 => model with { EosId = (int)reader.Integer },
                43 => model with { PadId = (int)reader.Integer },
                _ => model,
            };
        }

        return model;
    }

    private static SentencePieceModel ParseNormalizer(ProtobufReader reader, SentencePieceModel model)
    {
        while (reader.Next())
        {
            model = reader.Field switch
            {
                2 => model with { PrecompiledCharsMap = reader.Bytes.ToArray() },
                3 => model with { AddsDummyPrefix = reader.Boolean },
                4 => model with { RemovesExtraSpaces = reader.Boolean },
                5 => model with { EscapesSpaces = reader.Boolean },
                _ => model,
            };
        }

        return model;
    }

    /// <summary>The text of a piece, or null for an id that the model does not have (−1).</summary>
    public string? TextOf(int id) => id >= 0 && id < Pieces.Count ? Pieces[id].Text : null;
}
