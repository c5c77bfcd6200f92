// Memory of large tensors. A training step asks for the same sizes at the same places again and again, and malloc answers with a heap that is a third
// larger than what lives in it. Here freed blocks are kept and given out again, made longer or shorter by moving pages, and what is reserved never
// exceeds the most that was alive at once. Small tensors stay with libtorch's own allocator.
#include "common.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <c10/util/Exception.h>

#if defined(__linux__) && (TORCH_VERSION_MAJOR == 1 || TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 4))
#define LB_HAS_BLOCKS 1
#include <sys/mman.h>

#include <cstring>
#include <map>
#include <mutex>
#include <set>
#include <unordered_map>
#endif

#ifdef LB_HAS_BLOCKS
namespace {

constexpr size_t kLeastBytes = 256 << 10;
constexpr size_t kPageBytes = 4096;

// What must be left beside a block: where the address space is limited, a tensor is refused, which a caller can mend, before the small requests of
// others fail, which ends the process (OpenBLAS's work space, the runtime's).
constexpr size_t kSpareBytes = 48 << 20;

size_t whole_pages(size_t bytes) { return (bytes + kPageBytes - 1) / kPageBytes * kPageBytes; }

struct Blocks {
    std::mutex lock;
    std::unordered_map<void*, size_t> used;
    // Free blocks by their place, so that neighbours become one again, and by their length.
    std::map<char*, size_t> kept;
    std::set<std::pair<size_t, char*>> by_length;
    size_t live = 0, most_live = 0, reserved = 0;

    // Null: the system has no more.
    void* take(size_t bytes) {
        size_t size = whole_pages(bytes);
        const std::lock_guard<std::mutex> guard(lock);
        const size_t most_before = most_live;
        live += size;
        if (live > most_live) most_live = live;
        const size_t asked = size;
        char* block = reuse(size);
        if (block == nullptr) block = fresh(size);
        live += size - asked;
        if (live > most_live) most_live = live;
        if (block == nullptr) {
            live -= size;
            most_live = most_before; // it never was alive
            return nullptr;
        }
        used.emplace(block, size);
        return block;
    }

    // False: it came from elsewhere.
    bool give_back(void* block) {
        const std::lock_guard<std::mutex> guard(lock);
        const auto found = used.find(block);
        if (found == used.end()) return false;
        live -= found->second;
        keep(static_cast<char*>(block), found->second);
        used.erase(found);
        return true;
    }

    // Returns what is kept to the system; the most that was alive counts from now.
    void trim() {
        const std::lock_guard<std::mutex> guard(lock);
        drop(reserved);
        most_live = live;
    }

private:
    // One more free block, together with the free ones that it touches.
    void keep(char* block, size_t size) {
        const auto after = kept.lower_bound(block);
        if (after != kept.end() && after->first == block + size) {
            size += after->second;
            by_length.erase({after->second, after->first});
            kept.erase(after);
        }
        const auto next = kept.lower_bound(block);
        if (next != kept.begin()) {
            const auto before = std::prev(next);
            if (before->first + before->second == block) {
                block = before->first;
                size += before->second;
                by_length.erase({before->second, before->first});
                kept.erase(before);
            }
        }
        kept.emplace(block, size);
        by_length.emplace(size, block);
    }

    // Of the free blocks, no longer one of them.
    std::pair<size_t, char*> lift(std::set<std::pair<size_t, char*>>::iterator place) {
        const std::pair<size_t, char*> block = *place;
        by_length.erase(place);
        kept.erase(block.second);
        return block;
    }

    // A block that is a little too long is given whole, and `size` says so: a rest shorter than any request would be of no use.
    char* reuse(size_t& size) {
        const auto larger = by_length.lower_bound({size, nullptr});
        if (larger != by_length.end()) {
            const auto [whole, block] = lift(larger);
            if (whole - size >= kLeastBytes) keep(block + size, whole - size);
            else size = whole;
            return block;
        }
        if (kept.empty()) return nullptr;
        // The longest that is too short: its pages are there already, only the rest comes new.
        const auto [part, block] = lift(std::prev(by_length.end()));
        make_room(size - part);
        void* moved = mremap(block, part, size, MREMAP_MAYMOVE);
        if (moved == MAP_FAILED) {
            keep(block, part);
            return nullptr;
        }
        reserved += size - part;
        if (!has_spare()) {
            keep(static_cast<char*>(moved), size);
            return nullptr;
        }
        return static_cast<char*>(moved);
    }

    char* fresh(size_t size) {
        make_room(size);
        void* block = map(size);
        if (block == MAP_FAILED) {
            drop(reserved);
            block = map(size);
            if (block == MAP_FAILED) return nullptr;
        }
        reserved += size;
        return static_cast<char*>(block);
    }

    static void* map(size_t size) {
        void* block = mmap(nullptr, size + kSpareBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (block != MAP_FAILED) munmap(static_cast<char*>(block) + size, kSpareBytes);
        return block;
    }

    static bool has_spare() {
        void* spare = map(0);
        return spare != MAP_FAILED;
    }

    void make_room(size_t bytes) {
        if (reserved + bytes > most_live) drop(reserved + bytes - most_live);
    }

    // Returns kept memory to the system, the longest blocks first.
    void drop(size_t bytes) {
        while (bytes > 0 && !kept.empty()) {
            const auto [size, block] = lift(std::prev(by_length.end()));
            const size_t part = std::min(size, bytes);
            munmap(block + (size - part), part);
            if (part < size) keep(block, size - part);
            reserved -= part;
            bytes -= part;
        }
    }
};

// Never destroyed: tensors may be freed after static objects are.
Blocks& blocks() {
    static Blocks* instance = new Blocks();
    return *instance;
}

// Of large and of small ones: who asks for memory without its deleter gives it back through the allocator's, whatever its size.
void release(void* memory) {
    if (memory != nullptr && !blocks().give_back(memory)) c10::GetDefaultCPUAllocator()->raw_deleter()(memory);
}

struct BlockAllocator final : c10::Allocator {
#if TORCH_VERSION_MAJOR == 1
    c10::DataPtr allocate(size_t bytes) const override { return made(bytes); }
#else
    c10::DataPtr allocate(size_t bytes) override { return made(bytes); }
    void copy_data(void* to, const void* from, size_t bytes) const override { std::memcpy(to, from, bytes); }
#endif
    c10::DeleterFnPtr raw_deleter() const override { return &release; }

private:
    static c10::DataPtr made(size_t bytes) {
        if (bytes < kLeastBytes) return c10::GetDefaultCPUAllocator()->allocate(bytes);
        void* block = blocks().take(bytes);
        // OutOfMemory in the engine knows the sentence.
        TORCH_CHECK(block != nullptr, "no memory is left for tensors: tried to allocate ", bytes, " bytes");
        return {block, block, &release, c10::Device(c10::DeviceType::CPU)};
    }
};

}  // namespace
#endif

// From now on; tensors that are there already keep their memory.
LB_API int lb_allocator_install() {
    return guard([] {
#ifdef LB_HAS_BLOCKS
        static BlockAllocator allocator;
        c10::SetCPUAllocator(&allocator, 1);
#endif
    });
}

LB_API void lb_allocator_trim() {
#ifdef LB_HAS_BLOCKS
    blocks().trim();
#endif
}

// Bytes of large tensors now, at most so far, and of the memory that is reserved for them.
LB_API void lb_allocator_state(int64_t* live, int64_t* most_live, int64_t* reserved) {
    *live = *most_live = *reserved = 0;
#ifdef LB_HAS_BLOCKS
    Blocks& all = blocks();
    const std::lock_guard<std::mutex> guard(all.lock);
    *live = static_cast<int64_t>(all.live);
    *most_live = static_cast<int64_t>(all.most_live);
    *reserved = static_cast<int64_t>(all.reserved);
#endif
}
