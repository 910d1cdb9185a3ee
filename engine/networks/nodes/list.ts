import { readSmallFile } from '@cleat/extensions/small-file';
import { formatAddress, tryParseAddress } from '@cleat/protocol/cidr';
import { invalidParameter } from '@cleat/protocol/errors';
import { readable } from '@cleat/protocol/untrusted';

/** Drivers are told of each in a call of its own. */
const maxNodes = 4096;

/**
 * The addresses in a list of nodes: one in a line; what follows a `#` is a comment.
 * @param self left out, so that all hosts can have the same list
 * @throws InvalidParameter that says what is wrong with it
 */
export function readNodes(path: string, self: string): string[] {
  const text = readSmallFile(path);
  if (text === undefined) throw invalidParameter(`cannot read ${path}: there is no such file`);
  const lines = text.split('\n').map((line) => line.replace(/#.*/, '').trim());
  const nodes = new Set<string>();
  for (const [index, line] of lines.entries()) {
    if (line === '') continue;
    const address = tryParseAddress(line);
    if (!address) throw invalidParameter(`${path}, line ${index + 1}: ${readable(line, 80)} is not an IP address`);
    nodes.add(formatAddress(address));
  }
  nodes.delete(self);
  if (nodes.size > maxNodes) throw invalidParameter(`${path} has ${nodes.size} nodes: at most ${maxNodes} are told of`);
  return [...nodes];
}
