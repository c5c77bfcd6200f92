// The verbs that answer JSON Lines: each answer before the next question, and the same bytes for any number of threads.
using System.IO.Pipes;
using System.Text;
using System.Text.Json.Nodes;
using LoraBuild.Worker.Hosting;

namespace LoraBuild.Worker.Tests;

public sealed class StreamingVerbTests : IDisposable
{
    private readonly WorkerFixture worker = new();

    public static TheoryData<string, string[]> Verbs => new()
    {
        { "tokenize", ["tokenize", "--tokenizer", WorkerFixture.Tokenizer] },
        { "detokenize", ["detokenize", "--tokenizer", WorkerFixture.Tokenizer] },
        { "render", ["render", "--tokenizer", WorkerFixture.Tokenizer] },
        { "jinja", ["jinja"] },
    };

    [Theory]
    [MemberData(nameof(Verbs))]
    public async Task Each_question_is_answered_before_the_next_is_asked(string verb, string[] arguments)
    {
        // A program that reads all its input first would wait here for ever; the time limit only makes that a failure.
        using AnonymousPipeServerStream questions = new(PipeDirection.Out);
        using AnonymousPipeClientStream input = new(PipeDirection.In, questions.ClientSafePipeHandle);
        using AnonymousPipeServerStream output = new(PipeDirection.Out);
        using AnonymousPipeClientStream answers = new(PipeDirection.In, output.ClientSafePipeHandle);
        using CancellationTokenSource cancellation = new(TimeSpan.FromMinutes(2));
        using StringWriter error = new();
        WorkerHost host = new(input, output, error, _ => null, worker.Directory, IsTerminal: false);
        Task<int> run = Task.Run(() =>
        {
            int exitCode = CommandLine.Run(arguments, host, cancellation);
            output.Dispose();
            return exitCode;
        });
        using StreamReader reader = new(answers, Encoding.UTF8);
        for (int i = 0; i < 500; i++)
        {
            questions.Write(Encoding.UTF8.GetBytes(Question(verb, i) + "\n"));
            string? line = await reader.ReadLineAsync(cancellation.Token);
            Assert.True(line is not null, error.ToString());
            Check(verb, i, JsonNode.Parse(line)!);
        }

        questions.Dispose();
        Assert.Equal(0, await run);
    }

    [Theory]
    [MemberData(nameof(Verbs))]
    public void The_answers_are_the_same_for_any_number_of_threads(string verb, string[] arguments)
    {
        string input = string.Concat(Enumerable.Range(0, 300).Select(i => (i % 50 == 7 ? "nonsense" : Question(verb, i)) + "\n"));
        string[] outputs = [.. new[] { "1", "2", "5" }.Select(threads => worker.Run(input, [.. arguments, "--threads", threads]).Output)];
        Assert.Equal(300, outputs[0].Count(c => c == '\n'));
        Assert.All(outputs, output => Assert.Equal(outputs[0], output));
    }

    public void Dispose() => worker.Dispose();

    private static string Question(string verb, int i) => verb switch
    {
        "tokenize" => $$"""{"text": "question {{i}} 안녕"}""",
        "detokenize" => $$"""{"ids": [{{97 + (i % 26)}}, 195, 169]}""",
        "render" => $$"""{"messages": [{"role": "user", "content": "{{i}}"}], "add_generation_prompt": true}""",
        _ => $$$$"""{"template": "{{ a + 1 }}", "context": {"a": {{{{i}}}}}}""",
    };

    private static void Check(string verb, int i, JsonNode answer)
    {
        switch (verb)
        {
            case "tokenize":
                Assert.Equal(Encoding.UTF8.GetByteCount($"question {i} 안녕"), answer["ids"]!.AsArray().Count);
                break;
            case "detokenize":
                Assert.Equal($"{(char)('a' + (i % 26))}é", (string)answer["text"]!);
                break;
            case "render":
                Assert.Equal($"<|im_start|>user\n{i}<|im_end|>\n<|im_start|>assistant\n", (string)answer["text"]!);
                break;
            default:
                Assert.Equal($"{i + 1}", (string)answer["text"]!);
                break;
        }
    }
}
