import { invalidParameter } from './errors.js';
import { decode, isRecord, parseJson } from './json.js';
import { NamesElsewhere } from './kinds/network.js';

/**
 * A line of the answer to `WatchNames`. One without its list is none: it must not count as an empty one.
 * @throws InvalidParameter
 */
export function readNamesElsewhere(line: string): NamesElsewhere {
  const value = parseJson(line);
  const has = (key: string) => isRecord(value) && Object.keys(value).some((one) => one.toLowerCase() === key);
  if (has('err')) throw invalidParameter(`the error ${line}`);
  if (!has('endpoints')) throw invalidParameter('there is no list of Endpoints');
  return decode(NamesElsewhere, value, 'NetworkDriver.WatchNames');
}
