/** Node reports leaks as warnings, which nobody reads: here they fail the test that runs. */
process.on('warning', ({ name, stack }) => {
  // The warning itself holds the emitter, which would be printed whole.
  if (name === 'MaxListenersExceededWarning') throw new Error(stack);
});
