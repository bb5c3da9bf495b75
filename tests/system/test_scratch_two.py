import time, sys, json
from tests.system.test_kill import *
from tests.system import test_kill
@pytest.mark.parametrize("n",[5,30,60,80])
def test_x(proof, n):
    case=proof.case(n)
    tasks = {"batches": proof.claim(case), "shift_s": DUE_S}
    t=time.time()
    dying = case.job("steps.work_on", killpoint=str(n-2), **tasks)
    b=case.job("steps.work_on", killpoint="0", **tasks)
    codes = proof.forks.run([dying, b]); t1=time.time()
    proof.run([recovery(case)]); t2=time.time()
    proof.judge_recovery(case); t3=time.time()
    sys.stderr.write(f"\n{n} {codes} both {t1-t:.2f} rec {t2-t1:.2f} judge {t3-t2:.2f}\n{dying.said}\n{b.said}\n")
