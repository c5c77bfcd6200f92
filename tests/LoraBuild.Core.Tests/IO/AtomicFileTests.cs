// A file's final name stands for complete content only.
using System.Text;
using LoraBuild.Core.IO;

namespace LoraBuild.Core.Tests.IO;

public sealed class AtomicFileTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("atomic-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void Content_is_written_and_an_older_file_replaced_and_nothing_else_left()
    {
        string path = Path.Combine(folder, "new", "file.txt");
        AtomicFile.WriteAllText(path, "a much longer first content");
        AtomicFile.WriteAllText(path, "안녕");
        Assert.Equal(Encoding.UTF8.GetBytes("안녕"), File.ReadAllBytes(path));
        Assert.Equal([path], Directory.EnumerateFileSystemEntries(Path.GetDirectoryName(path)!));
    }

    [Fact]
    public void The_final_name_does_not_exist_before_the_content_is_complete()
    {
        string path = Path.Combine(folder, "file");
        AtomicFile.Write(path, stream =>
        {
            stream.WriteByte(1);
            stream.Flush();
            Assert.False(File.Exists(path));
        });
        Assert.Equal([1], File.ReadAllBytes(path));
    }

    [Fact]
    public void A_failure_while_writing_leaves_the_older_file_and_no_other()
    {
        string path = Path.Combine(folder, "file");
        AtomicFile.WriteAllBytes(path, new byte[] { 1, 2, 3 });
        Assert.Throws<IOException>(() => AtomicFile.Write(path, stream =>
        {
            stream.WriteByte(9);
            throw new IOException("No space left on device");
        }));
        Assert.Equal([1, 2, 3], File.ReadAllBytes(path));
        Assert.Equal([path], Directory.EnumerateFileSystemEntries(folder));
    }

    [Fact]
    public void Nothing_is_left_where_closing_fails_too_as_on_a_full_disk()
    {
        string path = Path.Combine(folder, "file");
        Assert.ThrowsAny<Exception>(() => AtomicFile.Write(path, stream =>
        {
            Microsoft.Win32.SafeHandles.SafeFileHandle handle = stream.SafeFileHandle;
            stream.WriteByte(9); // stays in the buffer, which closing cannot write any more
            handle.Dispose();
            throw new IOException("No space left on device");
        }));
        Assert.Empty(Directory.EnumerateFileSystemEntries(folder));
    }

    [Fact]
    public void Lines_end_with_a_line_feed_and_there_is_no_byte_order_mark()
    {
        string path = Path.Combine(folder, "lines.txt");
        AtomicFile.WriteLines(path, writer =>
        {
            writer.WriteLine("one");
            writer.WriteLine("two");
        });
        Assert.Equal("one\ntwo\n"u8.ToArray(), File.ReadAllBytes(path));
    }
}
