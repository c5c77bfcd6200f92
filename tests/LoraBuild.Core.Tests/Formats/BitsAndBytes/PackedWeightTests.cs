// Checkpoints that bitsandbytes saved: read as it decodes them, written as it reads them, refused where parts do not fit.
using System.Runtime.InteropServices;
using System.Text;
using LoraBuild.Core.Formats;
using LoraBuild.Core.Formats.BitsAndBytes;

namespace LoraBuild.Core.Tests.Formats.BitsAndBytes;

public sealed class PackedWeightTests
{
    [Theory]
    [InlineData("plain.weight", false)]
    [InlineData("nested.weight", true)]
    public void A_saved_weight_decodes_as_in_bitsandbytes(string name, bool isNested)
    {
        using TemporaryFolder folder = new();
        File.Copy(FormatsGolden.File("nf4", "prequantised.safetensors"), folder.File(ModelFiles.SingleFileName));
        using ModelFiles files = ModelFiles.Open(folder.Path);
        PackedWeight weight = PackedWeight.Find(files, name)!;
        Assert.Equal([48, 96], weight.Shape);
        Assert.Equal((WeightCode.Nf4, 64, isNested), (weight.Code, weight.BlockSize, weight.Nested is not null));
        byte[] expected = File.ReadAllBytes(FormatsGolden.File("nf4", $"prequantised.{name}.deq.f32.bin"));
        Assert.Equal(expected, MemoryMarshal.AsBytes(weight.Read(files, 0, 48).AsSpan()).ToArray());
        Assert.Equal(expected[(7 * 96 * 4)..(30 * 96 * 4)], MemoryMarshal.AsBytes(weight.Read(files, 7, 23).AsSpan()).ToArray());
        Assert.Equal(files.Tensors.Count - 2, files.Tensors.Keys.Count(n => PackedWeight.IsPart(files, n)));
    }

    [Theory]
    [InlineData(WeightCode.Nf4, true)]
    [InlineData(WeightCode.Nf4, false)]
    [InlineData(WeightCode.Fp4, true)]
    [InlineData(WeightCode.Int8, false)]
    public void What_is_written_reads_back_as_the_codec_decodes_it(WeightCode code, bool isNested)
    {
        Random random = new(3);
        float[] values = [.. Enumerable.Range(0, 33 * 50).Select(_ => (float)(random.NextDouble() - 0.5))];
        using TemporaryFolder folder = new();
        SafetensorsWriter.Write(folder.File(ModelFiles.SingleFileName), [.. PackedArrays.Encode(code, values, [33, 50], 64, isNested).ToWrite("m.weight", TensorDtype.BF16), TensorToWrite.FromFloat32("norm.weight", [1], new float[1])]);
        using ModelFiles files = ModelFiles.Open(folder.Path);
        PackedWeight weight = PackedWeight.Find(files, "m.weight")!;
        Assert.Equal([33, 50], weight.Shape);
        Assert.Equal((code, isNested), (weight.Code, weight.Nested is not null));
        float[] decoded = weight.Read(files, 0, 33);
        Assert.All(values.Zip(decoded, (a, b) => Math.Abs(a - b)), d => Assert.InRange(d, 0, code == WeightCode.Int8 ? (0.5f / 254) + (1f / 8192) : 0.09f));
        Assert.Null(PackedWeight.Find(files, "norm.weight"));
        Assert.Null(PackedWeight.Find(files, "other.weight"));
        Assert.False(PackedWeight.IsPart(files, "norm.weight"));
    }

    [Fact]
    public void The_layout_is_that_of_bitsandbytes_file()
    {
        using SafetensorsFile golden = SafetensorsFile.Open(FormatsGolden.File("nf4", "prequantised.safetensors"));
        using TemporaryFolder folder = new();
        SafetensorsWriter.Write(
            folder.File("x.safetensors"),
            [.. PackedArrays.Encode(WeightCode.Nf4, new float[48 * 96], [48, 96], 64, true).ToWrite("nested.weight", TensorDtype.BF16), .. PackedArrays.Encode(WeightCode.Nf4, new float[48 * 96], [48, 96], 64, false).ToWrite("plain.weight", TensorDtype.BF16)]);
        using SafetensorsFile written = SafetensorsFile.Open(folder.File("x.safetensors"));
        Assert.Equal(golden.Tensors.Keys, written.Tensors.Keys);
        foreach ((string name, TensorEntry entry) in golden.Tensors.Where(t => !t.Key.Contains("quant_state")))
        {
            Assert.Equal((entry.Dtype, entry.ShapeText), (written.Tensors[name].Dtype, written.Tensors[name].ShapeText));
            if (name.EndsWith("_map", StringComparison.Ordinal))
                Assert.Equal(golden.GetBytes(name).ToArray(), written.GetBytes(name).ToArray());
        }
    }

    [Theory]
    [InlineData("absmax", "missing")]
    [InlineData("nested_absmax", "missing")]
    [InlineData("quant_map", "missing")]
    [InlineData("state", "not JSON")]
    [InlineData("shape", "shape")]
    [InlineData("codes", "bytes")]
    [InlineData("offset", "nested_offset")]
    [InlineData("block", "blocksize")]
    public void Parts_that_do_not_fit_are_told_with_the_weights_name(string damage, string told)
    {
        List<TensorToWrite> tensors = [.. PackedArrays.Encode(WeightCode.Nf4, new float[64 * 8], [64, 8], 64, true).ToWrite("m.weight", TensorDtype.F32)];
        const string State = "m.weight.quant_state.bitsandbytes__nf4";
        switch (damage)
        {
            case "codes":
                Replace(tensors, "m.weight", new byte[5]);
                break;
            case "state":
                Replace(tensors, State, "{"u8.ToArray());
                break;
            case "shape" or "offset" or "block":
                (string from, string to) = damage switch { "shape" => ("[64,8]", "[64]"), "offset" => ("nested_offset", "nested_other"), _ => ("\"blocksize\":64", "\"blocksize\":63") };
                Replace(tensors, State, Encoding.UTF8.GetBytes(StateText(tensors.Single(t => t.Name == State)).Replace(from, to, StringComparison.Ordinal)));
                break;
            default:
                Assert.Equal(1, tensors.RemoveAll(t => t.Name == "m.weight." + damage));
                break;
        }

        using TemporaryFolder folder = new();
        SafetensorsWriter.Write(folder.File(ModelFiles.SingleFileName), tensors);
        using ModelFiles files = ModelFiles.Open(folder.Path);
        string message = Expect.Diagnostic("LB0414", () => PackedWeight.Find(files, "m.weight")).Message;
        Assert.Contains("m.weight", message);
        Assert.Contains(told, message);
    }

    private static string StateText(TensorToWrite state)
    {
        using MemoryStream stream = new();
        state.WriteBytes(stream);
        return Encoding.UTF8.GetString(stream.ToArray());
    }

    private static void Replace(List<TensorToWrite> tensors, string name, byte[] bytes) =>
        tensors[tensors.FindIndex(t => t.Name == name)] = TensorToWrite.FromBytes(name, TensorDtype.U8, [bytes.Length], bytes);
}
