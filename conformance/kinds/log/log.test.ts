import { suiteTests } from '../../testing/suite-tests.fixture.js';
import { logFlaws } from './flaws.fixture.js';
import { HealthyLogs } from './healthy.fixture.js';
import { readingFlaws } from './reading-flaws.fixture.js';
import { logSuite } from './suite.js';

suiteTests({
  suite: logSuite,
  healthy: (directory) => new HealthyLogs(directory),
  flaws: () => [...logFlaws(), ...readingFlaws()],
  left: (directory) => Object.keys(new HealthyLogs(directory).streams),
});
