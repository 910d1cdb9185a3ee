/** Node reports leaks as warnings, which nobody reads: here they fail the test that runs. */
process.on('warning', (warning) => {
  if (warning.name === 'MaxListenersExceededWarning') throw warning;
});
