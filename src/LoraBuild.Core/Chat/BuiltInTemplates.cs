// Chat templates by name, for models that have none. They mark the assistant's words and the end of its turn.
namespace LoraBuild.Core.Chat;

public static class BuiltInTemplates
{
    private const string ChatMl = """
        {%- for message in messages %}
            {{- '<|im_start|>' ~ message.role ~ '\n' }}
            {%- if message.role == 'assistant' %}
                {%- generation %}{{- message.content ~ '<|im_end|>' }}{%- endgeneration %}
            {%- else %}
                {{- message.content ~ '<|im_end|>' }}
            {%- endif %}
            {{- '\n' }}
        {%- endfor %}
        {%- if add_generation_prompt %}
            {{- '<|im_start|>assistant\n' }}
        {%- endif %}
        """;

    private const string Llama3 = """
        {{- bos_token }}
        {%- for message in messages %}
            {{- '<|start_header_id|>' ~ message.role ~ '<|end_header_id|>\n\n' }}
            {%- if message.role == 'assistant' %}
                {%- generation %}{{- message.content | trim ~ '<|eot_id|>' }}{%- endgeneration %}
            {%- else %}
                {{- message.content | trim ~ '<|eot_id|>' }}
            {%- endif %}
        {%- endfor %}
        {%- if add_generation_prompt %}
            {{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}
        {%- endif %}
        """;

    public static IReadOnlyList<string> Names { get; } = ["chatml", "llama3"];

    /// <summary>The template's text, or null when there is none of that name.</summary>
    public static string? Find(string name) => name switch
    {
        "chatml" => ChatMl,
        "llama3" => Llama3,
        _ => null,
    };
}
