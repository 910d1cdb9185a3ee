import { suiteTests } from '../../testing/suite-tests.fixture.js';
import { ipamFlaws } from './flaws.fixture.js';
import { HealthyAddresses } from './healthy.fixture.js';
import { ipamSuite } from './suite.js';

suiteTests({
  suite: ipamSuite,
  healthy: (directory) => new HealthyAddresses(directory),
  flaws: ipamFlaws,
  left: (directory) => Object.keys(new HealthyAddresses(directory).pools),
});
