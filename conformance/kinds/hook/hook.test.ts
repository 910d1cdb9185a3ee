import { suiteTests } from '../../testing/suite-tests.fixture.js';
import { hookFlaws } from './flaws.fixture.js';
import { HealthyHook } from './healthy.fixture.js';
import { hookSuite } from './suite.js';

suiteTests({
  suite: hookSuite,
  healthy: () => new HealthyHook(),
  flaws: hookFlaws,
  left: () => [],
});
