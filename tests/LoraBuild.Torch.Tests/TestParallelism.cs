// One test at a time: each uses all cores inside, and two at once only wait for one another.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
