import { expect, test } from 'vitest';
import { run } from '../process/run.js';
import { type PublishedPort, ruleset } from './ruleset.js';
import { sameShape, shapeOfListing, shapeOfScript } from './shape.js';

const networks = ['br-a', 'br-b'].map((bridge, at) => ({
  bridge,
  subnets: [`10.97.${at}.0/24`, `fd00:97:${at}::/64`],
  masquerade: true,
  icc: at === 0,
  internal: at === 1,
}));
const ports: PublishedPort[] = [8080, 8081].flatMap((hostPort) =>
  ['0.0.0.0', '127.0.0.1'].map((hostIp) => ({
    protocol: 'tcp',
    hostIp,
    hostPort,
    containerIp: '10.97.0.2',
    containerPort: 80,
  })),
);
const links = [{ from: '10.97.1.2', to: '10.97.1.3', protocol: 'udp' as const, port: 53 }];
const script = ruleset('cleat_test', networks, ports, links);

/** The table as nft lists it after some damage, in a namespace of its own. */
const listed = async (damage: string): Promise<string> => {
  const commands = `nft -f -; ${damage}; nft -j list table inet cleat_test`;
  return (await run('unshare', ['--net', 'sh', '-ec', commands], { input: script })).stdout;
};

test('a table that nft has made has the shape of its script', async () => {
  expect(shapeOfListing(await listed('true'))).toEqual(shapeOfScript(script));
  expect(shapeOfScript(script).get('map published')).toBe(2);
  expect(shapeOfScript(script).get('set bridges')).toBe(2);
});

test.each([
  'flush table inet cleat_test',
  'flush chain inet cleat_test forward',
  'flush map inet cleat_test published',
  'flush set inet cleat_test bridges',
  'add rule inet cleat_test forward drop',
  'delete element inet cleat_test published { tcp . 8080 }',
  'add chain inet cleat_test more',
])('and another one after: nft %s', async (damage) => {
  expect(sameShape(shapeOfListing(await listed(`nft '${damage}'`)), shapeOfScript(script))).toBe(false);
});
