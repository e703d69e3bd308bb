"""The LZFSE decoder against streams of Apple's reference encoder.

The streams were made with lzfse 0.4.2 (bindings of the reference implementation), once, by
``base64.b85encode(lzfse.compress(data))`` for the data that each function below rebuilds.
"""

import base64
import contextlib
import random

import numpy as np
import pytest

from video3d.video.lzfse import LzfseError, decompress

LZVN = (
    b"Vs?0L+zkK#q5%K^;01aha$$KOXL4b7X>@rYX>%ZCZ+C7G6yOvvF)}kWH8wXmIbmXBWMyV&XlZI|Y;A6DaB*^Tbai%jczJp_B=8D2UH3Ry@IN"
    b">Z_UC#aWMy!4XgG23Fy(M;VQytOPw+9wwQqA}{TQ<l8yE`-j5vAlIv7+bBxrMb^f;9EI56=LjtCDpjqoox*6=V8p*WrJeL2_hn5=pr_YegbA"
    b"2@FCIyhADFF36@Q}8qjQZiOM)$j;7hdQS41sMboS~+d?I3Dx}1US<0F9-q{TR6(_2snrEK?qG4_BeI=IVtftCHxQ}IGY#>I7<3BvG6Y#h$%W"
    b"aSMW7C4m;8CI5@cRIY#?wO?vb=*zhn2R5(uXFfk@*272>2U+^_4+&L!pIA`!LI7#p?IQ{T52u(UG_z}PvYZxOi5eNi1Blaq7I2`&YG&&OSG#"
    b"GF?(fc?R_BfIH80$DM`xsgn20sZ07!Wuy`#F&CIT&;}Y4$j^@i_nd7#28+@Glr}INk6w5WP7@{Wur<IL+`hXaOPc|L|twAt43;00000003fk"
    b"cq9"
)
FSE = (
    b"Vs>~k05AXmAOZjs0I~sK8jNweZV>|zvH$=8HSCZAf5A}Q005u}sGbD{&t3pH5WWHc0HA-sU3n9Zpm6XCaLyzk00000005s0kdcuwGBPqoMn*"
    b"=)$jHcVFviHp$QYR!86zXf$QT(J<9Qhw85tQPV~mWEF_MvyjEuYkBO@atgNzIS0002K0{{R300000;41(C0000000901000000002sF8}}l0"
    b"000000000^33@ezT-2eNzU+TH4NWsFO8H!<xpr$0x9qnITNNHZ_2x9^xzt-vg{=c2LB(zVmAywm_r7JBzHNUNDllExHjxwvJE%1hw)HP!pqE"
    b"0P)->kfEo|V6F#6~N}z&GYQfiOw!?*HZ5^={H0uSH3R{--`j90B1ZDIT0~T?f0aZ*VP%g=Yi8jVa!TVKq*$&PJu#l6*>Q}91$8=(nETWEL#>"
    b"c4ls&k{Pw|u2KN<>M89Fs-HD4E(2#(Xlp5mw@iD~i85-hAan<1*cIU7@a+oP#&W+qbc8*=)2j#pbXatr#A*TW><&adnquwb@a>XXc?v9h&cU"
    b"Y-KpLx9@_kP%%_uEz#?tEdzw%TS7B~Wd_3ryaCVvmh~qav#kqBCvon3oHAbQ`}VD^yID3Y+uL=s>1ETxr)2;D000000002M006vsTk<#*JCW"
    b"N*iUm%d2qc_|3nS_e_Yw@8<ZLdCs9#(R5KeIBab-lk<Kp0l6P#@>oTzVH91u<rZ@DnC{&6wTIGzlC2eT~0$AgU7AfGE}D5rT6FGJ-clE=d{m"
    b"~%+-Ff@-xHV@qhhh7FUoXLgJj4}~tb9{5AAS7pVVKkVFJ$sIq#)Pn($%WBiGWM)FUK&$5NjabAq6w35vbE&XR1k`I&xM;}GU7a+Bd}d?X=og"
    b"j3_gzQGm<Yphl(>lWb?B~gryDg=u!Ik<Z<yQOSEQ+3r-G2;{fuxeYP0iSde@05fIKe3l~PiWI5UFW<I1rNY3QKXfPKi+v?<_6bQpvTo^4T<7"
    b"BIo4^bctXK`V)n2eLHPCi6|FywUs2czLr;_R)RkHH!Z`J7NRD&%{^!*lS(+8r`D6g`pqi-Sjn^U35y^N8eodC^BZ`Ft*Ta6II3ND=sWIFROS"
    b"<I0G7#l^u7Cpg<&I8ooYI3S$hOfHP5e_RX@PH-j{M$|tp1_&pJw_F%m|H#b%;e>d5$l~#^Zi|ma=X_*v91Z3)PacNO;mF`|1iZ6&P6m!OnBZ"
    b"*WZ7B0}4owcHIGYP6#bm_U93PFToTQx3bJ2uJ*t6z%=}ZXAnOqnRCS%W<19}d88Uv=Bi3_7)vYc$4`7{-TCf;-5CYX#kza9BBtnneA8{I?66"
    b"`xO!&hg~%`)G`%4F!1*9u4h-lF#R(QCc&_1to_92~0Q}d0T8;k!zBN!5|E0abdKWjFYWSK16{qoW+IFVlqy)I{6R<!f+NBMvKWf+3Ms&6bQp"
    b"v$CZ&WDJNQue2fBF$m;?QPQ$0f*;_jwgEboRIng~Tx!(DIbkHY<-$Pq0?IFiA2f>&P+1w~|R&qVPD0+5s`OrL+e15zb9IPBjaW)rD)GICq2q"
    b"!p`3nS_u7XyS7oXLd|^^e>P5KcG~7e>?{?j;yFN!|x=Fr@p&!Gp!z@bgIV$iWATxqK`s{&MiaVw8`sV5Ffv|5=S2a`*#cc6cN"
)


def lzvn_data() -> bytes:
    """Text with near and far repeats: LZVN, which the encoder takes below 4096 bytes."""
    words = [b"depth", b"pose", b"ray", b"plane", b"z", b"gravity is down", b"0123456789abcdefghijklmnopqrstuvwxyz" * 2]
    choose = random.Random(5)
    return b" ".join(choose.choice(words) for _ in range(200)) + b"!" * 400


def fse_data() -> bytes:
    """A small depth map of half-precision depths in float32, in two blocks' worth of ramps and steps."""
    y, x = np.mgrid[:64, :48]
    depth_m = np.where((x // 7 + y // 9) % 3 == 0, 1.5, 2.0 + x * 0.01 + y * 0.02)
    return depth_m.astype(np.float16).astype("<f4").tobytes()


@pytest.mark.parametrize(("stream", "data", "magic"), [(LZVN, lzvn_data(), b"bvxn"), (FSE, fse_data(), b"bvx2")])
def test_golden_streams(stream, data, magic):
    packed = base64.b85decode(stream)
    assert packed[:4] == magic and len(packed) < len(data)
    assert decompress(packed, max_bytes=len(data)) == data


@pytest.mark.parametrize("stream", [LZVN, FSE])
def test_output_is_bounded(stream):
    with pytest.raises(LzfseError, match="more than 100 bytes"):
        decompress(base64.b85decode(stream), max_bytes=100)


@pytest.mark.parametrize(("stream", "data"), [(LZVN, lzvn_data()), (FSE, fse_data())])
def test_damage_is_an_error_or_other_bytes_never_more(stream, data):
    packed = base64.b85decode(stream)
    for size in range(0, len(packed), 7):
        with pytest.raises(LzfseError):
            decompress(packed[:size], max_bytes=len(data))
    choose = random.Random(1)
    for _ in range(300):
        damaged = bytearray(packed)
        damaged[choose.randrange(len(packed))] ^= 1 << choose.randrange(8)
        with contextlib.suppress(LzfseError):
            assert len(decompress(bytes(damaged), max_bytes=len(data))) <= len(data)


def test_unknown_block():
    with pytest.raises(LzfseError, match="starts with b'bvx1'"):
        decompress(b"bvx1" + bytes(800), max_bytes=100)


def test_against_the_reference_encoder():
    lzfse = pytest.importorskip("lzfse", reason="the reference encoder is not installed")
    rng = np.random.default_rng(0)
    depth_m = (2 + rng.normal(0, 0.01, (96, 64))).astype(np.float16).astype("<f4")
    cases = [b"", b"a", rng.bytes(5000), depth_m.tobytes(), bytes(100_000), bytes(range(256)) * 300]
    cases += [rng.integers(0, 4, n).astype(np.uint8).tobytes() for n in range(5, 6000, 431)]
    for data in cases:
        assert decompress(lzfse.compress(data), max_bytes=len(data)) == data
