import { Firewall } from '@cleat/linux/firewall/firewall';
import { assertForward } from '@cleat/linux/firewall/forward';
import { run } from '@cleat/linux/process/run';

/** Links that an engine made carry its ID in their alias. */
export async function removeLinks(engineId: string): Promise<void> {
  const { stdout } = await run('ip', ['-json', 'link', 'show']);
  const links = JSON.parse(stdout || '[]') as { ifname?: string; ifalias?: string }[];
  for (const { ifname, ifalias } of links) {
    if (ifname === undefined || ifalias === undefined || !ifalias.includes(engineId)) continue;
    await run('ip', ['link', 'delete', ifname]);
  }
}

/** The engine's own nftables table, and its tagged rules in Docker's or the host's chains (as network-bridge names them). */
export async function removeFirewall(engineId: string): Promise<void> {
  const tag = engineId.replaceAll('-', '').slice(0, 12);
  await new Firewall(`cleat_${tag}`).remove();
  for (const six of [false, true]) await assertForward([], `cleat:${tag}`, six);
}
