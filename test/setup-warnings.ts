/** Node reports leaks as warnings, which nobody reads: here they fail the test that runs. */
function failOnLeak({ name, stack }: Error): void {
  // The warning itself holds the emitter, which would be printed whole.
  if (name === 'MaxListenersExceededWarning') throw new Error(stack);
}
// Once a process, which is that of many files.
if (!process.listeners('warning').some(({ name }) => name === failOnLeak.name)) process.on('warning', failOnLeak);
