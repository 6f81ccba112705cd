"""Sparse members of TAR archives, as GNU tar 1.34 writes them in its four forms: put together, with their holes; maps that lie; damage."""

from __future__ import annotations

import base64
import lzma
import random
import sys
from functools import cache
from pathlib import Path

import pytest

from triage.evidence.tarsparse import made
from triage.filesystem.trees.tree import Fault, Named
from triage.logical.tarfiles import TarTree

sys.path.append(str(Path(__file__).resolve().parents[1] / "evidence"))
from evidence_bytes import Bytes

FORMS = {
    "gnu": (
        "{Wp48S^xk9=GL@E0stWa8~^|S5YJf5;~D<~U0nb$i-<<l9Y&1NN_j-P5!b)b+)6uc0Z`qtV@N-`>QuRFx&!-QX$zy{)ufXMWc-dp<%<#hi<_Fq?ZPB8jg3"
        "l|>@tx!Ap0G7`rk%`8eo&h+Z@}B`b{j1*<|b;A}#mlR*}#o$|VF-?A|Di?v?;Mp<cB%;m#N%ib#J%{Lkz5%VT>eIx=d@pW6yKe#;1be6~^U<g9+m{|x4iS"
        "CkKf6O8~snQBK)FB4S5L5sz*;F%wpYF+T8jc#y`6(vXJ^Qvr<$R|!x&OnGgfjh(roL7z7!?ZKguJ9Cm8|uT)GcvVfL&}?O!DC>}-H2*MrJF;l7>@K1+?=7"
        "AKZf2k>6$F;`^7=VIlceX##zD6#5MJ?c^F!TZm}|-0%^)B*uqENp|~H1YCQXQn5Z^lS&W8GvnPJpL?gX<S!LH35^G|Nsv2m}=*?Lpe@tV+BqYD9@d+n6su"
        "p=baknUotd`V4v%d#E<=WaSq6-GDrWNGJ8CF^b2TAg8fh~0X7<}Dnia7$XeGG0%2Ej}+Y&Yi{5{4Y+&jl@ut1?G-fEhapuy1z+M&CknI*7g?{N<PqfRy7g"
        "6&#Ac`C1M1G<<e)-2{J%lB`kZYJq~mX&&;xlQeq5Ba`bk&J7)O#!3qzyuH+aagky`m&S5-O|nJc;0`){ON=%}STy40yn}Rkc)VT+joH5#>DK`Y1Gvj{3+^"
        "Z3UYv{IW!NL*5S4I;<QTeN?VBf?dh3T1PX&2F@y}v}e9>B5<IGGaRd>g%_3B*ZXOE_u1f5|soj_)HwGMOF5U8U700000JE=8xb81Hn00H>~fV2z%H<j~;v"
        "BYQl0ssI200dcD"
    ),
    "pax 0.0": (
        "{Wp48S^xk9=GL@E0stWa8~^|S5YJf5<1POKWL*Fk3&w|%T05tY$0ZK95AiYN%4ca6g4Re(@WJUvO0e4dqMYMP_$P?tqlpP_k!P@tHFx4nGoxXnlGG3;Cyc"
        "B;W+0s4VsBnYX*~v7l{;+440>%VZqLv4Hl6kl9N1Q%FI}pg*tuNyw;A5E#C-c@kBK-N8LtUEu!3h8J-m;{aS<vMWPCf?BD!EVo`8mKMy(0G_ADCyMcWf2^"
        "k)nvKPc_@{EHRNAxT>u{80dr_`~&^)LWB>@XE?+TQGzU-C9@ma5RVOq>09e9uKFc3+Sg^d&Hr9mE80*)LQ81g<N1$CA?B9+cr?2NaER>;&dJem$gSc$4;M"
        "+2YNZc;?FYx+yP5pd$XZ`oS#$*Ccq=pFIqEKkZim(hK-43!6NJRqrcyK`GrJpy5RvaZLY5}4l5AS9R8||k>&aKsS7Je%M&WKuLtGU#QMPE2a)XH?q&}Z8a"
        "J{TW)o4K51fi+TSCu_q2zMUxCbRZgiMIa$VYiATuHMus-+Zk13RhIUd0|teF4E_uvAS>T16lBSjm7t&I;dVWDOlb?D+Sq-?=C>bG1cyh;41`E*OGxk}@S8"
        "jk{cwv6BC^P$2`^E*=AQ=0UCgcS>^-Ha<L9;X=MbWha3o=HMY9t+3FVd0HNIMVHH*2yAwk&R9D~h4qY*f0)4|sKfCP6A%tSVrN$qGTc#chlC<SjmKjO{!<"
        "Ap9036D$sd6cWJk(l_7kIfKXE;%z!?-v(hPuqH`4QEY}4vtMg=KcE#0~o9;=8`Q3QEEuiMBG$)Z^1?215Uh?o0#?HEq1gTyTAmOKp@To_8RV4u4T9cQO#z"
        "Lm*g>)M3qtH-yi9Le@k_A~L(Utrj>bv`BtssMb@1vzWbeydjay2d2kJ+0=Biow0_%@x>XZ<04B#v{}3ymhZYqH=%wQBF@*bsHn3aV*M+51d5`U}Efvd|5_"
        "tGQcyjV0WvPZECEpP0S+g39wH@KW-54?ME&5_3DVz46Pm>&!YYRSTUVhV-?#L23XxEOQ_jUZF(|y{vk!xV*P@L+lQJ*9fxq|e`B!$7+)z|cTdPJ*BERzS~"
        ">f>=?+XJvU6Y48klCcG0Om!g;_q0r&MRwnTNAyo}oLEak7{FLRUWpxqR1|*JuC$sASVY=HHgj00DppfZPlKb}725vBYQl0ssI200dcD"
    ),
    "pax 0.1": (
        "{Wp48S^xk9=GL@E0stWa8~^|S5YJf5<0t<EYFz*q3&w|%T05tY$0ZK95AiYN%4ca6g4Re(@WJUvO0e4d1|+$+O^)M9Tu@FxCTe{FM>7t@b?*RVrGihvHpx"
        "8`x`KyrT$;qT2YbaKrj8CnU8LIY4V{cHm>zTi-_UDZ8=-zl92TqX<Q<G>u2Cgv?#vfJOfVYoRD$_ZCV85oD~9#4uX|HU6;{W0<rydCcu;bG=wVYoYW}TAV"
        "1GexiS1Y^_J!!e*_6<^cE^J<3!1Z?E`H-&;P9{fi>wPwdaC?+8WMW(x+#C$KIRo0>d|#=esTqOKU#9{X5(GkB9vXmQIL%lDXQ)tF?81RWFj`LOtBCyS!xt"
        "GwGC01UTMB$Ozp=mm!<}`HgiB9@!6d_Z>btqSL|Hr%}4e7u+CB-)a_V3xh4$R>Sz!+x>StBtQ3ZO*HVf%8zH<8r_p!2D`^Xi<T#L}p*ZpRi&O6^39gD$A)"
        "jizQu9v~Ig3atr5bYYD-d~i6EK?nU`eiSBMS;mmmZAuVpA&<A62Gw@kyo-k}>ynDBk@H`?+Wjn|d#?YN&G9bBXa+T1N&HiAT%Xa!3oB3Qb6LUQ2(7hGqq<"
        "W--VOg;&O8$uxPrU^1{-xtj7F(#d~3p)+IW15-F2BFTTeJusEl>Tf2S3&EWS<O}Z0H{4EEUO)$sF52#9$Z`FKl{O+@p{cN!+op`L8J)IT48+ss>V6c-ub>"
        "us>7kylrFco!VL{)8@P7Qbjd9moP6U}HST?d|FX3Pjn$vHJj;$S7(jChZboV07>LVcFg60*aS`eQjuo+A7CztH#bFK&f7FJkG4{xxpu;hqf6**K^%Wbf}Q"
        "ov{*9r}ymAotim|F7b9)w7u0Oe3-H4{KZKKY5T4U?;w0xXnRVC%6-HBGhkrx<Eo8{JLdI?)3kG*{A(mWL6^x$_^lr?)U;!Tog1I7{J7xYavQ0iKAJXjGR2"
        "-x99bQyHKSH<Tb@SlVGYF$&dT3ivr<Lk<*EW04W`I6wb)T`kTC{g9vAMwME7fBr#K<Ocm<uP^k<+3UpiEAd8yPeBd$C;PC$MMbr9KA{xXq7dJ`8`M~oO>!"
        "R|#n60{7IB>mqyB*^bol&<ZU(3Dj<L30Eod`5r>>FDbHu3llXFcT&F;f;nsbL@SlO1-)`~Uy|8M(NjF_gv&00D*vfY1y84>S37vBYQl0ssI200dcD"
    ),
    "pax 1.0": (
        "{Wp48S^xk9=GL@E0stWa8~^|S5YJf5<17CIUR?ke3&w|%T05tY$0ZK95AiYN%4ca6g4Re(@WJUvO0e4d1)^(|sIwOxg8+BRyVaOLS>34c(Yza#VCageM@n"
        "UyJ?;nayVsn<le=1C>l)iZ=cN++E*s&r9Cb!IS942tRZ>adb)B9>nUbKtW^<*d5J?ALizx-;8Riyr!ZQo1AQ35b6fkiX#S7Kch7d0A5z|efpao#t7|vx{m"
        "-~{_JehZB@lsOuzj<NNpjxb;Ati`}+!kXj$&pqa_E!XRurlVG83o*`12{;X)uSzHegnMARo46tL&KGrkQB%9>o|sZ;rbu9$QBP%PjOjuViu@4g3i|&dLL="
        "8I}-}tbqy;3RMVot<cW2hpRV&ogR#q-Cp(4?re$S2BON+Tu7ZE3A!1Fl$-;}BcS91zd5G#&cdaINKx!=xnn_yaTiZu+Tm(h4^epMaEicGp-Ax2ALRNxz?P"
        "JP%RlK5~`@eAD{pR->VPNxi{Bgsyh9<Z?Hum}cF}z&SzpyWS+0CN3E<J&292XOOR{<tx{i)n+t0b5om~;o)S%LwnI?>ur#&tY*dZ7kJ)Vv{KR*10yA_RqB"
        "7)84Prs57hc_JM2g4jSuYBeFyZGgxEAisT|-eIr-y^1y|^-2+Kji}FN_vhiEg47c`KDAsZmu%0{!K0licUkl;nIS{c5+OE`^3}(!xYvtsWhrmNl7k<_h3M"
        "&0cH|=jBWo@NuIQ*(a(<3hV}WX>#_0fpLCsUw4^Z{m91&{1UxV@AVOd&N0^a5p_Zj^<627xq1Hy9Z8pUfvy1e$SB-cY5+VU7~;ou8XZ|k-npa3OQ_B2-X+"
        "3KUH+=c*nhf99epQyJ<W&l%Kpqt(iv1c7_m5&8ei)huOhwqyB{xE)HHrszIC!65jmXV@mAjU76GggAci~z)5dV@vr65??~E|X1<iYrdx_J)a{&;q~}9C)T"
        "nOH<Pe5egY|X5$j2ALksBxzc>{&faurV~edNkAa<44Ct*ng*}v&x{sVE5gFvhC(W{|5uU{>=EzrcxJcy7n#*58Ka;9-shCQMKFft(Lbb>ST*HlYyfma2Ip"
        "!LYZCv}iDz#OP3l>1lx=s~<UB)E$r%RM4F>aA>{=Q~P!86tt<9!5yU;qFBM}DoG&SP7B00H_2fY=NGy@qN!vBYQl0ssI200dcD"
    ),
}
"""What ``tar -S --format=gnu`` and ``--format=posix --sparse-version=…`` made of four files, packed by xz, in base 85."""
WANTED = {
    "a.bin": bytes(100_000) + b"mid" * 1000 + bytes(3_000_000 - 103_000) + b"end",
    "many.bin": b"".join(bytes(4096) + bytes([n + 1]) * 700 + bytes(20_000 - 4796) for n in range(40)).ljust(1_000_000, b"\0"),
    "hole.bin": bytes(1_000_000),
    "z.txt": b"behind",
}


@cache
def archive(form: str) -> bytes:
    return lzma.decompress(base64.b85decode(FORMS[form]))


def listed(data: bytes) -> tuple[TarTree, dict[str, Named], list[str]]:
    tree = TarTree(Bytes(data), 0, len(data))
    said = list(tree.names())
    names = {b"/".join(one.path).decode("utf-8", "replace"): one for one in said if isinstance(one, Named)}
    return tree, names, [one.message for one in said if isinstance(one, Fault)]


@pytest.mark.parametrize("form", FORMS)
def test_the_pieces_of_every_form_are_put_together(form: str) -> None:
    tree, names, faults = listed(archive(form))
    assert (set(names), faults) == (set(WANTED), [])
    for name, data in WANTED.items():
        one = names[name]
        read_at = tree.open(one.address)
        assert one.size == len(data)
        assert read_at(0, one.size + 10) == data
        for offset, length in ((99_990, 20), (len(data) - 3, 9), (0, 1), (103_000, 5000)):
            assert read_at(offset, length) == data[offset : offset + length]
        # What lies in one piece on the medium can be read without the archive's list.
        assert b"".join(bytes(long) if at is None else archive(form)[at : at + long] for at, long in one.runs) == data


def test_a_map_that_cannot_be_is_said_and_the_file_read_as_it_stands() -> None:
    data = archive("pax 0.1")
    broken = data.replace(b"=98304,8192,2998272,", b"=98304,8192,0000000,", 1)
    assert len(broken) == len(data)
    tree, names, faults = listed(broken)
    assert faults == ["1 sparse files of the archive have a map that cannot be: they were read as they stand, in pieces"]
    one = names["a.bin"]
    assert b"mid" * 900 in tree.open(one.address)(0, one.size)
    assert tree.open(names["many.bin"].address)(0, 10**7) == WANTED["many.bin"]


@pytest.mark.parametrize(
    ("size", "entries", "stored"),
    [(10, [(0, 11)], 20), (10, [(5, 1), (4, 1)], 20), (10, [(0, 5)], 4), (None, [(0, 1)], 9), (1 << 62, [], 0), (10, [(None, 1)], 9)],
)
def test_no_map_claims_more_than_there_is(size: int | None, entries: list[tuple[int | None, int | None]], stored: int) -> None:
    assert made(size, entries, stored) is None


@pytest.mark.parametrize("form", FORMS)
def test_damage_never_breaks_it(form: str) -> None:
    rng = random.Random(form)
    data = archive(form)
    used = [at for at in range(0, len(data), 512) if any(data[at : at + 512])]
    read = 0
    for _ in range(120):
        mutant = bytearray(data)
        for _ in range(rng.choice((1, 4))):
            at = rng.choice(used[:12]) + rng.randrange(508)
            mutant[at : at + 3] = rng.choice((rng.randbytes(3), b"999", b"\xff\xff\xff", bytes(3)))
        tree, names, _ = listed(bytes(mutant))
        for one in names.values():
            if one.readable and one.size:
                try:
                    read += len(tree.open(one.address)(0, min(one.size, 1 << 20)))
                except OSError:
                    continue
    assert read
