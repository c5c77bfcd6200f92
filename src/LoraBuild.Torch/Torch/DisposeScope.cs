// A scope disposes the tensors that were made in it, unless they were moved out.
namespace TorchSharp;

/// <summary>The tensors made on this thread since the scope was opened. A tensor may be disposed or moved from any thread.</summary>
public sealed class DisposeScope : IDisposable
{
    private readonly HashSet<IDisposable> _disposables = new(ReferenceEqualityComparer.Instance);
    private readonly DisposeScopeManager _manager;
    private bool _isDisposed;

    internal DisposeScope(DisposeScopeManager manager, DisposeScope outer)
    {
        _manager = manager;
        Outer = outer;
    }

    internal DisposeScope Outer { get; }

    public int DisposablesCount
    {
        get
        {
            lock (_disposables) return _disposables.Count;
        }
    }

    public IReadOnlyList<IDisposable> DisposablesView
    {
        get
        {
            lock (_disposables) return [.. _disposables];
        }
    }

    public bool Contains(IDisposable disposable)
    {
        lock (_disposables) return _disposables.Contains(disposable);
    }

    public void Attach(IDisposable disposable)
    {
        if (disposable is null) return;
        if (disposable is torch.Tensor tensor)
        {
            if (ReferenceEquals(tensor.OwningScope, this)) return;
            tensor.OwningScope?.Remove(tensor);
            tensor.OwningScope = this;
        }

        lock (_disposables) _disposables.Add(disposable);
    }

    public void Attach(params IDisposable[] disposables)
    {
        foreach (IDisposable disposable in disposables) Attach(disposable);
    }

    public IReadOnlyList<IDisposable> Attach(IEnumerable<IDisposable> disposables)
    {
        IDisposable[] all = [.. disposables];
        Attach(all);
        return all;
    }

    public T Detach<T>(T disposable)
        where T : IDisposable
    {
        if (disposable is null) return disposable;
        Remove(disposable);
        if (disposable is torch.Tensor tensor && ReferenceEquals(tensor.OwningScope, this)) tensor.OwningScope = null;
        return disposable;
    }

    public void Detach(params IDisposable[] disposables)
    {
        foreach (IDisposable disposable in disposables) Detach(disposable);
    }

    public void Detach(IEnumerable<IDisposable> disposables)
    {
        foreach (IDisposable disposable in disposables) Detach(disposable);
    }

    /// <summary>Into the enclosing scope, or out of all scopes when there is none.</summary>
    public T MoveToOuter<T>(T disposable)
        where T : IDisposable => Outer is null ? Detach(disposable) : MoveToOther(Outer, disposable);

    public (T1 first, T2 second) MoveToOuter<T1, T2>(T1 first, T2 second)
        where T1 : IDisposable
        where T2 : IDisposable => (MoveToOuter(first), MoveToOuter(second));

    public (T1 first, T2 second, T3 third) MoveToOuter<T1, T2, T3>(T1 first, T2 second, T3 third)
        where T1 : IDisposable
        where T2 : IDisposable
        where T3 : IDisposable => (MoveToOuter(first), MoveToOuter(second), MoveToOuter(third));

    public void MoveToOuter(params IDisposable[] disposables)
    {
        foreach (IDisposable disposable in disposables) MoveToOuter(disposable);
    }

    public void MoveToOuter(IEnumerable<IDisposable> disposables)
    {
        foreach (IDisposable disposable in disposables) MoveToOuter(disposable);
    }

    public T MoveToOther<T>(DisposeScope scope, T disposable)
        where T : IDisposable
    {
        if (scope is null) return Detach(disposable);
        if (disposable is not torch.Tensor) Remove(disposable);
        scope.Attach(disposable);
        return disposable;
    }

    public void MoveToOther(DisposeScope scope, params IDisposable[] disposables)
    {
        foreach (IDisposable disposable in disposables) MoveToOther(scope, disposable);
    }

    public void MoveToOther(DisposeScope scope, IEnumerable<IDisposable> disposables)
    {
        foreach (IDisposable disposable in disposables) MoveToOther(scope, disposable);
    }

    public void DisposeEverything() => DisposeEverythingBut([]);

    public T DisposeEverythingBut<T>(T keep)
        where T : IDisposable
    {
        DisposeEverythingBut([(IDisposable)keep]);
        return keep;
    }

    public void DisposeEverythingBut(params IDisposable[] keep) => DisposeEverythingBut((IEnumerable<IDisposable>)keep);

    public void DisposeEverythingBut(IEnumerable<IDisposable> inKeep)
    {
        var keep = new HashSet<IDisposable>(inKeep.Where(kept => kept is not null), ReferenceEqualityComparer.Instance);
        IDisposable[] gone;
        lock (_disposables)
        {
            gone = [.. _disposables.Where(disposable => !keep.Contains(disposable))];
            _disposables.IntersectWith(keep);
        }

        foreach (IDisposable disposable in gone)
        {
            if (disposable is torch.Tensor tensor) tensor.OwningScope = null;
            disposable.Dispose();
        }
    }

    public void MarkAsDisposed(IDisposable disposable) => Detach(disposable);

    /// <summary>Disposes what the scope still holds. Scopes of a thread close in the reverse order of their opening; closing an outer one closes the inner ones first.</summary>
    public void Dispose()
    {
        if (_isDisposed) return;
        _isDisposed = true;
        _manager.Close(this);
        DisposeEverything();
    }

    internal bool IsDisposed => _isDisposed;

    internal void Remove(IDisposable disposable)
    {
        lock (_disposables) _disposables.Remove(disposable);
    }
}

/// <summary>The open scopes of one thread.</summary>
public class DisposeScopeManager
{
    [ThreadStatic]
    private static DisposeScopeManager _current;

    internal static DisposeScopeManager Current => _current ??= new DisposeScopeManager();

    internal DisposeScope Innermost { get; private set; }

    internal DisposeScope Open() => Innermost = new DisposeScope(this, Innermost);

    internal void Close(DisposeScope scope)
    {
        bool isOpen = false;
        for (DisposeScope open = Innermost; open is not null && !isOpen; open = open.Outer) isOpen = ReferenceEquals(open, scope);
        if (!isOpen) return;
        while (!ReferenceEquals(Innermost, scope))
        {
            DisposeScope inner = Innermost;
            inner.Dispose();
            if (ReferenceEquals(Innermost, inner)) Innermost = inner.Outer;
        }

        Innermost = scope.Outer;
    }
}

public static partial class torch
{
    public static DisposeScope NewDisposeScope() => DisposeScopeManager.Current.Open();

    public static DisposeScope CurrentDisposeScope => DisposeScopeManager.Current.Innermost;

    public static Tensor WrappedTensorDisposeScope(Func<Tensor> expr)
    {
        using DisposeScope scope = NewDisposeScope();
        return expr().MoveToOuterDisposeScope();
    }
}
