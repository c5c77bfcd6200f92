// Tells from the files that the process has mapped which BLAS computes the matrix products.
namespace LoraBuild.Torch.Native;

/// <summary>The BLAS in use, and what it costs if it is a slow one.</summary>
internal sealed record BlasLibrary(string Name, string Path, bool IsOptimised, bool IsOpenMp, string WarningCode, string Warning)
{
    private const string Mend = "apt-get install -y libopenblas0-openmp && update-alternatives --set libblas.so.3-$(uname -m)-linux-gnu "
        + "/usr/lib/$(uname -m)-linux-gnu/openblas-openmp/libblas.so.3";

    /// <param name="maps">The lines of /proc/self/maps.</param>
    /// <param name="configuration">libtorch's own description, for a BLAS that is linked into it.</param>
    internal static BlasLibrary Find(IEnumerable<string> maps, string configuration)
    {
        string[] files = [.. maps
            .Select(line => line.IndexOf('/', StringComparison.Ordinal) is int at and >= 0 ? line[at..] : string.Empty)
            .Where(path => path.Contains(".so", StringComparison.Ordinal))
            .Distinct(StringComparer.Ordinal)
            .Order(StringComparer.Ordinal)];

        // Debian puts each variant into a directory of its name; elsewhere the file's name has p (pthread) or o (openmp).
        string Named(params string[] parts) => files.FirstOrDefault(path => parts.Any(part => path.Contains(part, StringComparison.Ordinal)));
        if (Named("/libmkl_") is string mkl) return new("MKL", mkl, true, true, null, null);
        if (Named("/libblis") is string blis) return new("BLIS", blis, true, true, null, null);
        if (Named("openblas-openmp/", "/libopenblaso") is string openMp) return new("OpenBLAS (openmp)", openMp, true, true, null, null);
        if (Named("openblas-pthread/", "/libopenblasp") is string threaded)
            return new("OpenBLAS (pthread)", threaded, true, false,
                "LB0853", "the pthread build of OpenBLAS is loaded beside OpenMP; training steps take about three times as long. Mend it with: " + Mend);
        if (Named("openblas-serial/") is string serial)
            return new("OpenBLAS (serial)", serial, true, false, "LB0853", "the serial build of OpenBLAS is loaded: it uses one core. Mend it with: " + Mend);
        if (Named("/libopenblas") is string open) return new("OpenBLAS", open, true, true, null, null);
        if (Named("/libblas.so") is string reference)
            return new("reference BLAS", reference, false, false,
                "LB0852", "the reference BLAS is loaded; matrix products run about fifty times slower than with an optimised one. Mend it with: " + Mend);
        bool hasMkl = configuration.Contains("MKL", StringComparison.OrdinalIgnoreCase) && !configuration.Contains("BLAS_INFO=generic", StringComparison.Ordinal);
        return hasMkl ? new("MKL (in libtorch)", null, true, true, null, null) : new("unknown", null, true, true, null, null);
    }
}
