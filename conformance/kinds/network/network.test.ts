import { suiteTests } from '../../testing/suite-tests.fixture.js';
import { networkFlaws } from './flaws.fixture.js';
import { HealthyNetworks } from './healthy.fixture.js';
import { networkSuite } from './suite.js';

suiteTests({
  suite: networkSuite,
  healthy: (directory) => new HealthyNetworks(directory),
  flaws: networkFlaws,
  left(directory) {
    const { state, links } = new HealthyNetworks(directory);
    const { networks, endpoints, allocations = {} } = state;
    return [...Object.keys({ ...networks, ...endpoints, ...allocations }), ...links];
  },
  clear(directory) {
    const healthy = new HealthyNetworks(directory);
    for (const name of healthy.links) healthy.unlink(name);
  },
});
