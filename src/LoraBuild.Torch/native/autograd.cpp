// Backward passes, and graph nodes whose forward and backward are C# methods.
#include "common.h"

#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/csrc/autograd/saved_variable.h>
#include <torch/csrc/autograd/variable.h>

#include <memory>
#include <string>

namespace {

// libtorch 1.13 holds graph nodes by std::shared_ptr, 2.14 by c10::intrusive_ptr: the type is asked for, and each form compiled only where it is used.
using NodePointer = decltype(torch::autograd::Edge::function);

// Frees a long chain of nodes without recursion, where the version has that.
template <typename N>
auto destroy(N* node, int) -> decltype(deleteNode(node)) {
    deleteNode(node);
}

template <typename N>
void destroy(N* node, long) {
    delete node;
}

template <typename Managed, typename N>
std::shared_ptr<N> make_node(std::shared_ptr<N>*) {
    return std::shared_ptr<N>(new Managed(), [](N* node) { destroy(node, 0); });
}

template <typename Managed, typename N>
c10::intrusive_ptr<N> make_node(c10::intrusive_ptr<N>*) {
    return c10::make_intrusive<Managed>();
}

template <typename N>
auto pointer_to(N& node, int) -> decltype(node.shared_from_this()) {
    return node.shared_from_this();
}

template <typename N>
auto pointer_to(N& node, long) {
    return node.getptr();
}

// grads in, one gradient per tensor argument out (null where none); returns 0 or the id of the C# exception.
using BackwardCallback = int64_t (*)(void* managed, void* node, const Handle* grads, int64_t grad_count, Handle* results, int64_t result_count);
using FreeCallback = void (*)(void* managed);

BackwardCallback backward_callback = nullptr;
FreeCallback free_callback = nullptr;

struct ManagedNode final : torch::autograd::Node {
    ~ManagedNode() override {
        if (managed != nullptr && free_callback != nullptr) free_callback(managed);
    }

    torch::autograd::variable_list apply(torch::autograd::variable_list&& grads) override {
        // The wrappers handed to C# are its own; it frees them.
        std::vector<Handle> in(grads.size(), nullptr);
        for (size_t i = 0; i < grads.size(); i++) {
            if (grads[i].defined()) in[i] = wrap(grads[i]);
            else if (materialize) in[i] = wrap(input_metadata(static_cast<uint32_t>(i)).zeros_like());
        }
        grads.clear();
        std::vector<Handle> out(argument_count, nullptr);
        int64_t error = backward_callback(managed, this, in.data(), static_cast<int64_t>(in.size()), out.data(), static_cast<int64_t>(out.size()));
        torch::autograd::variable_list result(argument_count);
        for (size_t i = 0; i < argument_count; i++) {
            if (out[i] == nullptr) continue;
            result[i] = *out[i];
            lb_release(out[i]);
        }
        if (error != 0) throw ManagedError(error);
        return result;
    }

    std::string name() const override { return title; }

    // The engine calls this after the node's backward unless the graph is retained: the activations go at once.
    void release_variables() override {
        saved.clear();
        released = true;
    }

    static void lb_release(Handle handle) {
        delete handle;
        live_tensors.fetch_sub(1, std::memory_order_relaxed);
    }

    void* managed = nullptr;
    std::string title;
    size_t argument_count = 0;
    bool materialize = true;
    bool released = false;
    std::vector<at::Tensor> pending;  // saved during forward, before the outputs are known
    std::vector<torch::autograd::SavedVariable> saved;
};

using NodeHandle = NodePointer*;

ManagedNode& managed_node(NodeHandle node) { return static_cast<ManagedNode&>(**node); }

bool contains(const std::vector<at::Tensor>& tensors, const at::Tensor& tensor) {
    for (const at::Tensor& other : tensors)
        if (other.unsafeGetTensorImpl() == tensor.unsafeGetTensorImpl()) return true;
    return false;
}

}  // namespace

LB_API int lb_backward(const Handle* roots, int64_t count, const Handle* grads, int64_t grad_count, int retain, int create, const Handle* inputs, int64_t input_count) {
    return guard([&] {
        std::vector<at::Tensor> gradients = list(grads, grad_count);
        torch::autograd::backward(list(roots, count), gradients, retain != 0, create != 0, list(inputs, input_count));
    });
}

LB_API int lb_autograd_grad(const Handle* outputs, int64_t count, const Handle* inputs, int64_t input_count, const Handle* grads, int64_t grad_count, int retain, int create,
                            int allow_unused, Handle* results) {
    return guard([&] {
        std::vector<at::Tensor> gradients = list(grads, grad_count);
        auto found = torch::autograd::grad(list(outputs, count), list(inputs, input_count), gradients, retain != 0, create != 0, allow_unused != 0);
        for (size_t i = 0; i < found.size(); i++) results[i] = wrap(found[i]);
    });
}

LB_API void lb_function_callbacks(BackwardCallback backward, FreeCallback release) {
    backward_callback = backward;
    free_callback = release;
}

// Null when nothing would flow back: gradients are off or no argument needs one.
LB_API int lb_function_begin(void* managed, const char* title, const Handle* arguments, int64_t count, NodeHandle* out) {
    return guard([&] {
        *out = nullptr;
        std::vector<at::Tensor> tensors = list(arguments, count);
        bool needed = false;
        for (const at::Tensor& tensor : tensors) needed = needed || (tensor.defined() && tensor.requires_grad());
        if (!needed || !c10::GradMode::is_enabled()) return;
        NodePointer node = make_node<ManagedNode>(static_cast<NodePointer*>(nullptr));
        auto handle = std::make_unique<NodePointer>(std::move(node));
        ManagedNode& self = managed_node(handle.get());
        self.title = title;
        self.argument_count = tensors.size();
        self.set_next_edges(torch::autograd::collect_next_edges(tensors));
        self.managed = managed;  // last: until here the caller owns it
        *out = handle.release();
    });
}

LB_API int lb_function_save(NodeHandle node, const Handle* tensors, int64_t count) {
    return guard([&] { managed_node(node).pending = list(tensors, count); });
}

// Ties the outputs to the node. An output that is an argument, or a view, becomes a tensor of its own over the same memory,
// unless it was marked dirty; outputs[i] is that new tensor, or null where the output stays the tensor that it was.
LB_API int lb_function_end(NodeHandle node, const Handle* arguments, int64_t argument_count, Handle* outputs, int64_t output_count,
                           const Handle* dirty, int64_t dirty_count, const Handle* constant, int64_t constant_count, int materialize) {
    return guard([&] {
        std::vector<at::Tensor> inputs = list(arguments, argument_count);
        std::vector<at::Tensor> changed = list(dirty, dirty_count);
        std::vector<at::Tensor> constants = list(constant, constant_count);
        std::vector<at::Tensor> results;
        ManagedNode& self = managed_node(node);
        self.materialize = materialize != 0;
        for (int64_t i = 0; i < output_count; i++) {
            at::Tensor output = get(outputs[i]);
            outputs[i] = nullptr;
            results.push_back(output);
            bool is_constant = contains(constants, output);
            if (contains(changed, output)) {
                torch::autograd::impl::bump_version(output);
                torch::autograd::impl::rebase_history(output, torch::autograd::Edge(*node, self.add_input_metadata(output)));
                continue;
            }
            if (contains(inputs, output) || output.is_view() || output.requires_grad()) {
                output = output.detach();
                results.back() = output;
                outputs[i] = wrap(output);
            }
            if (is_constant) self.add_input_metadata(torch::autograd::Node::undefined_input{});
            else torch::autograd::set_history(output, *node);
        }
        for (const at::Tensor& tensor : self.pending) self.saved.emplace_back(tensor, tensor.defined() && contains(results, tensor));
        self.pending.clear();
    });
}

LB_API void lb_function_free(NodeHandle node) {
    guard([&] { delete node; });
}

// Called from within the backward callback, with the node that the callback got.
LB_API int lb_function_saved(void* node, Handle** out, int64_t* count) {
    return guard([&] {
        ManagedNode& self = *static_cast<ManagedNode*>(node);
        TORCH_CHECK(!self.released, "the saved tensors of ", self.title, " were freed by an earlier backward; pass retain_graph: true to go through the graph again");
        std::vector<at::Tensor> tensors;
        for (const auto& saved : self.saved) tensors.push_back(saved.unpack(pointer_to(self, 0)));
        give(tensors, out, count);
    });
}
