// Every golden model on a GPU beside itself on the processor, where it equals the reference.
using LoraBuild.Engine.Models;
using LoraBuild.Engine.Tests.Models.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Tests.Models;

public sealed class CudaModelTests
{
    public static TheoryData<string, ScalarType> Models()
    {
        TheoryData<string, ScalarType> data = [];
        foreach (string name in GoldenModelTests.Names)
        {
            data.Add(name, ScalarType.Float32);
            data.Add(name, ScalarType.BFloat16);
        }

        return data;
    }

    [CudaTheory]
    [MemberData(nameof(Models))]
    public void Logits_of_packed_documents_are_those_of_the_processor(string name, ScalarType type)
    {
        KernelAssert.Close(Logits(name, CPU, ScalarType.Float32), Logits(name, CudaTest.Device, type), type == ScalarType.Float32 ? 2e-4 : 6e-2); // bf16: a few layers of roundings of 2⁻⁸
    }

    private static float[] Logits(string name, Device place, ScalarType type)
    {
        using DisposeScope scope = NewDisposeScope();
        using CausalLM model = CausalLM.Load(Golden.Model(name), new LoadOptions { Device = place, Dtype = type });
        int[] lengths = [9, 1, 9, 30];
        ReadOnlyMemory<int>[] documents = [.. lengths.Select((length, d) => new ReadOnlyMemory<int>([.. Enumerable.Range(0, length).Select(i => 3 + ((i * 7) + (d * 31)) % (model.VocabSize - 3))]))];
        using PackedBatch batch = PackedBatch.FromDocuments(documents, place);
        using IDisposable noGrad = no_grad();
        return TensorTypes.ToFloat32Array(model.Logits(model.HiddenStates(batch)));
    }
}
