// What happens to a base model's file while a stage has it mapped.
using LoraBuild.Core.Diagnostics;
using LoraBuild.Worker.Stages;

namespace LoraBuild.Worker.Tests;

public sealed class BaseFilesWatchTests : IDisposable
{
    private readonly DirectoryInfo directory = Directory.CreateTempSubdirectory("lorabuild-watch");

    private string Weights => Path.Combine(directory.FullName, "model.safetensors");

    [Fact]
    public void A_file_that_is_written_to_in_its_place_is_told()
    {
        using BaseFilesWatch watch = Begin();
        watch.Check();
        using (FileStream stream = new(Weights, FileMode.Open, FileAccess.Write))
            stream.WriteByte(9);
        File.SetLastWriteTimeUtc(Weights, DateTime.UtcNow.AddMinutes(1));
        Assert.Equal("LB0837", Assert.Throws<DiagnosticException>(watch.Check).Diagnostics[0].Code);
    }

    [Fact]
    public void One_that_is_touched_replaced_or_deleted_is_still_what_was_mapped()
    {
        using BaseFilesWatch watch = Begin();
        File.SetLastWriteTimeUtc(Weights, DateTime.UtcNow.AddMinutes(1));
        watch.Check();
        File.WriteAllBytes(Weights + ".new", [5, 6]);
        File.Move(Weights + ".new", Weights, overwrite: true);
        watch.Check();
        File.Delete(Weights);
        watch.Check();
    }

    public void Dispose() => directory.Delete(recursive: true);

    private BaseFilesWatch Begin()
    {
        File.WriteAllBytes(Weights, [1, 2, 3]);
        return BaseFilesWatch.Of(directory.FullName, new Dictionary<string, string> { ["base/model.safetensors"] = "039058c6f2c0cb492c533b0a4d14ef77cc0f78abccced5287d84a1a2011cfb81" });
    }
}
