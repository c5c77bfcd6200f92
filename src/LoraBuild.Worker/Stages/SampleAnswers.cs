// The sample questions, and how they are put to a model: as the data ask, answered greedily.
using LoraBuild.Core.Chat;
using LoraBuild.Core.Tokenizers;
using LoraBuild.Engine.Evaluation;
using LoraBuild.Engine.Generation;
using LoraBuild.Engine.Models;
using LoraBuild.Worker.Generation;

namespace LoraBuild.Worker.Stages;

internal sealed class SampleAnswers
{
    private readonly Tokenizer tokenizer;
    private readonly ChatTemplate template;
    private readonly GenerationOptions options;
    private readonly DateTime now;

    private SampleAnswers(Tokenizer tokenizer, ChatTemplate template, IReadOnlyList<SampleQuestion> questions, GenerationOptions options, DateTime now)
    {
        this.tokenizer = tokenizer;
        this.template = template;
        Questions = questions;
        this.options = options;
        this.now = now;
    }

    public IReadOnlyList<SampleQuestion> Questions { get; }

    /// <returns>Null where there is nothing to ask, or no chat template to ask it with.</returns>
    public static SampleAnswers? Create(StageWork work, IReadOnlyList<SampleQuestion> questions, int maxNewTokens)
    {
        if (questions.Count == 0)
            return null;
        string directory = work.TokenizerDirectory();
        Tokenizer tokenizer = Tokenizer.Load(directory);
        if (work.Recipe.Template.ChatTemplate == "auto" && tokenizer.ChatTemplateSource is null)
            return null;
        ChatTemplate template = TemplateChoice.Load(work.Recipe.Template.ChatTemplate, tokenizer, directory, work.Recipe.PlaceOf("template.chat_template"));
        return new SampleAnswers(tokenizer, template, questions, new GenerationOptions { MaxNewTokens = maxNewTokens, Seed = work.Recipe.Seed }, work.Recipe.Template.Now);
    }

    public IReadOnlyList<string> Answer(CausalLM model, CancellationToken cancellation)
    {
        TextModel text = TextModel.Create(model, tokenizer);
        return [.. Questions.Select(question =>
        {
            ChatSession session = new(text, template, options) { Now = now };
            if (question.System is not null)
                session.AddSystem(question.System);
            return session.Ask(question.Text, null, cancellation);
        })];
    }

    public IReadOnlyList<Sample> Report(IReadOnlyList<string> before, IReadOnlyList<string> after) =>
        [.. Questions.Select((question, i) => new Sample(question.Text, before[i], after[i], question.Expected))];
}
