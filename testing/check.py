"""Shows on the running servers that the test stack does what testing/README.md says.

Addresses and accounts come from SQE_TEST_* (see testing/env). What a stack was started without is
left out. Everything that a check makes is removed at its end.
"""

import os
import pathlib
import sys
import unittest

HERE = pathlib.Path(__file__).parent
FOLDERS = ["checks"]
if "SQE_TEST_OIDC_ISSUER" in os.environ:
    FOLDERS.append("checks/oidc")
    if "SQE_TEST_NESSIE_URI" in os.environ:
        FOLDERS.append("checks/nessie")

sys.path.insert(0, str(HERE))
suite = unittest.TestSuite()
for folder in FOLDERS:
    for path in sorted((HERE / folder).glob("test_*.py")):
        name = path.relative_to(HERE).with_suffix("").as_posix().replace("/", ".")
        suite.addTests(unittest.defaultTestLoader.loadTestsFromName(name))
result = unittest.TextTestRunner(verbosity=2).run(suite)
sys.exit(not result.wasSuccessful())
