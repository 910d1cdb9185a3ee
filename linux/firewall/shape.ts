/**
 * How many rules each chain of a table has, and how many elements each map and set: enough to tell a table that was
 * flushed, wholly or in part. By number, since nft prints rules in other words than those that made them.
 */
export type Shape = ReadonlyMap<string, number>;

/** The shape that a script of `ruleset.ts` gives to a table. Such a script has one rule a line. */
export function shapeOfScript(script: string): Shape {
  const shape = new Map<string, number>();
  let name = '';
  for (const line of script.split('\n').map((one) => one.trim())) {
    const begins = /^(chain|map|set) (\S+) \{$/.exec(line);
    if (begins) {
      name = `${begins[1]} ${begins[2]}`;
      shape.set(name, 0);
    } else if (line === '}') {
      name = '';
    } else if (name.startsWith('chain ')) {
      if (line !== '' && !line.startsWith('type ')) shape.set(name, (shape.get(name) ?? 0) + 1);
    } else {
      const elements = /^elements = \{ (.*) \}$/.exec(line)?.[1];
      if (name && elements) shape.set(name, elements.split(', ').length);
    }
  }
  return shape;
}

interface Listed {
  chain?: { name: string };
  rule?: { chain: string };
  map?: { name: string; elem?: unknown[] };
  set?: { name: string; elem?: unknown[] };
}

/** The shape of a table that `nft -j list table` has printed. */
export function shapeOfListing(json: string): Shape {
  const shape = new Map<string, number>();
  const { nftables = [] } = JSON.parse(json) as { nftables?: Listed[] };
  for (const { chain, rule, map, set } of nftables) {
    if (chain) shape.set(`chain ${chain.name}`, shape.get(`chain ${chain.name}`) ?? 0);
    if (rule) shape.set(`chain ${rule.chain}`, (shape.get(`chain ${rule.chain}`) ?? 0) + 1);
    if (map) shape.set(`map ${map.name}`, map.elem?.length ?? 0);
    if (set) shape.set(`set ${set.name}`, set.elem?.length ?? 0);
  }
  return shape;
}

export const sameShape = (one: Shape, other: Shape): boolean =>
  one.size === other.size && [...one].every(([name, count]) => other.get(name) === count);
