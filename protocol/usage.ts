/**
 * What is wrong with a command line, from an error of node:util's `parseArgs`, without its advice for programmers.
 * @returns undefined for any other error
 */
export function usageComplaint(error: unknown): string | undefined {
  if (!(error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS'))) return undefined;
  return error.message.replace(/\. To specify .*/s, '').replaceAll(/\n+/g, ' ');
}
