"""Files of a real Chromium 156 (headless, Debian), which was driven over pages of a server of our own, so that what they hold is known.

A tab went from page a to b and c and back to b; a second showed ``d.html?q=closed`` and was closed; a third showed ``d.html?q=open``; then
the browser was closed. Page a set 402 keys of Local Storage and took out 100 of them, one of Session Storage, and put 51 objects into a
store ``messages`` of a database ``chat``; the second tab set one more key.
"""

from __future__ import annotations

import base64
import lzma


def _of(packed: str) -> bytes:
    return lzma.decompress(base64.b85decode(packed))


SESSION = _of(
    "T>t<81poj4|NsC0{{ShIhQN=IR$>NL7U3iI5<)x_^97csh}B{XDNe_9Oi^+Kfr^-skQe-C*Jr9{J)|eqgrx~4G2?2HZ{10qMG~+<D}$M+7(}WRJqO%F)S-"
    "%_*`yv2hFcz1#op(c#EK3~UZh9$)jw?~%MNY{=it&-v0ue;yk~jlN|C>USJ{5{$tKe67)4qq%VQ8F3}3;!H_Xn$T#a-o-NqE(s|-"
    "dJ(_NVtVu+07(vw=c(n4IvhhUEBlXKK()@E?4i`wu=Mo!_wPL6B^E9+-"
    "`hN9buw<rhqZwY8YJ6Zq6A>eGIpUhGv&Mjm3+YurdZzN4s2_K^RTlC$gmL_gWMKA1?cSrz&Y|9zDqRF;;*I_TI0$)COb+NJ`{x7Efl`2L5dbZ5&37$2{ZsyPC_+>?%zT1F"
    "krreUdw{fQ^aLboHj6iG^*?3$EcuBJTyO@_qLy;)UF3Vn6u45LPxxq!4ue;u7Euzm5%bft}tP;!o>yh*d79)c|W-F-zTH#;(Ch>gQLg%or1D?jC3CXb>v@%d7yfpE<;jaQ"
    "=3c`Yp9e(HFpc*?L!BrteKpG}H0m4$!A6GNu74T|B{~=O(<6zVRl1x|^{vV~CMb{lYyTT@%;xml1h55lTvj!1DQu`l|LX$|lxT9<X^zL8u^_n#HMO^M_oEs|Td$Y(k!ftB"
    "g3w!IvA{oJ7CZX%0eEfBF{%H`g_Q|KQso{+*_<;mqFWpGa@z`&`!!x~;dP3Iqo{VRuo3+@Xx(kd<U1oy6%zU7roHs#iQyCfl;~jBgOmvE_BKN{X_OOU19!LVu1nDT2qvfJ"
    "2c?6r@1VU%{5*iGGrPC{@>3y2mco27r^WB%CzE#NIa*BzA6i~jaaNDongJc>)AaH`4I}_GrG5BjxXI6rim4VKTVF`(15Fxm*KzYpA-KT>yKo;-"
    "Z2?F4_)@*Dk;bzgH@H7`vOEN}TuIF1vxc{Dse=wci#HZ$f{P&K+uE6yfS5t}YS!ivjtUC$SlRWC7F^J#GjxmFI`uvhAM@#D(zx>NQ3wZn;cr_946gg)r!dIj^{2L75H@1&"
    "_MdK}l3{hP6Sg8Hei$X3GgC^gtaKKNHwHNnE39D9E2LwAkd{y779Fn0&ZD5Ub{lv+;=VjUlq!mSv(7QmR!NAN)MHM+@AU_WgD<5lu6EP+Ej*;*s7=Dk$bV3@gp@Vm_3xZz"
    "NSxDPDtMs+K#8!i-"
    "J(8cOy#IRX4QZARjsV?2XOOlbB{HKqJYU7NCAFl%T0!M9kZo*PbOy((8RV0PIa%Bt(IxOLVl6Bxgp&f=K193!P}P!7lqgH5I%r5cGC$5sIQ%|f@auGMDVc40K^6mUDlyYJ"
    "PR953d3<-"
    ">fukN6Bzwx@aj`g!+M|8%oe6OkKVp<)p&T!tGgX}L`h7I_#GPUF<(7lD6k)6k)PRGlyp<Z!)ni}OBK)_vyX#m^jiJ}62>)x<XauTY;6ep`m<ye4q4|y2v32=P-"
    "+{~wJ5_*=_ihom1f?MKyO?`w>iQuL==svUd29mOS#0T5Z8FGHmSY~K!eY+HIx}fcsia2Cq$z$zAm^fE&zME-"
    "$~_@;V9`rJwaN}%cCc?vu+VwRz?EzS)%9#*v|!P1yMT>&;@rTx3Hnxtlb!3X_8^P2>u@!?9%1i*k@NNbx!m1E3y&Th&kM?AE=v$FuFPIre+vqMVKwl@JfaSz+>Bl~_REh#"
    "=&I<ptwkwEb9F4)#mtooB6W3#))RZ5Yis_}=#B_HaBNkl%rAKWYsJAjuVQ=>jpBK`1p2$7Tu=zkZ8AdXs15uy&3Wt@_K;H7%8Y_Z@)66;VXn6i9Qv^&Y&IkiNb}yPfsVM)"
    "IQr}#`0_kq_^KjdM6%Qv+ta~d#wYUV@D$;T6=i5}8uP3cEisyn8*23T*+HKNB4tUI#ibP^CJ~1{;Rmm5vom#A5{1+Iuqbu^)=x4?CI79rmcHF%>&zJh1YR^Q7{fT`|EqpP"
    "&;"
)
TABS = _of(
    "T>t<81poj4|NsC0{{ShIhQN=IR%8OKkSQJs$jLRqdYyWoacz2EjdI}4T`MR%tcX8x9(eV+2ng|QC!GcKccux}DYWdkmpp1+MTm2w^yJX|+B3GJv(^Dh5kc<ckT7}oC4G%H"
    "_?+gNBBj4D4p@8AR-"
    ">!6)R5NNhdH9{Mjty&SW(k(2YfDXlH@RF&}HfGp8yB#tw%(t3$pbq|C)7p>qf88rFMSdw!>euEmFi7`uOhLZ17xNX9>Q@)t7V>_Jv5DN&3(i!e|=^bYB(ZTFEpesvuCW3P"
    "7d>m-UaoF*4bkqPcvUQsRi71<oU7D9{sy=mhf|G--yuwpN`A8{B1RDvT-bd;Q7+J|PMB@66Hq;q7Y#e+qCVjJ6r7t7o_LT)kLoL~jI7i*#6uFW>qB-XC&D_n67RE`%W7xQ"
    "F2PKGguZf_16-fC~jh#?&N<X`4`^Pj<n9Cb?sT6_Awz90fEazBbNx5&9rdO=icOw$f8vNslmtdD7(+>HC(BsC1@oZv3;-A{(XqiK{P*c7mq4`I(nAd?5#-"
    "sVDi4(C8pc_Qh3jJ&@+WJqu1!r8?|~LS|f!@&M{FWhc;gsF|BfEO<CPIgM_H0^^%C{yuS2glPdc>_0!OO8E`YVB`%Uq#yOT7P7c&+#C?Uwj5fb$0rRExF+&B;sasW=4kfM"
    "%G;kpY4J+!n}7!))7+?z-0m$ri|bWXLDb7Z9AS{^Az9eGG>t2A=19@{I?`bdrH6VJ@zZ(718e>=7p;x~{v9YwJPNKTig@!x08-"
    "ApB8*3B6`Nv8W5Z9vDlhBeXcp@uO=k!3=5*qovY7f2SPy)w8RDK8w<@d>SJ~avw}S44`a*0~{4)oG{c2|$O<r=^j{#jVX6+5BW{Cpobv0XL#u13N-"
    "Yqe({}yr|Ye3?m+A2OvpCp{N`W#j4^cJ@wAV@rw^Yi(Fk`gxDZyLieQ!b25^QAkp>F?8VYXr?SY9VGK?vCi5-?sL(fgzi^VB~VsJaZ8Sls0wchxLv1n)_-"
    "e*m#9zGIDi~S-0Jt5zt+xAd=hg<-"
    "`>vg*a#;oLYDyOpEQWUhi(Q^Hd9XZw3F{g_opXl)b>DbP$b0GZ;UZyWoDuL)&(YG!Dj@<_zFTgC?;|+wDK$ab<i1R!ZL<ZFMAQ1V@;S*V*Ksul=whx+72`0|YKGu}-"
    "42eCdcMeL0P`%LAbS;Z+id7Rjc>60YR(tWJ=yeBSY!zhtn)ZJq`T-plOPUQ#2Dk3T3`oLq%W-"
    "d7psL1G^=s<pcsz%8*kYT#3szJkM%*KQtsGCdJ4k4EDmm(pPe{Ly?wBBCetB5zs3M|R#18!hwbl94n*1$Bx_ti(AAd6iG3McwW?Uv9?}ndP3Gk_D6C`6Y9&8j1smS}|4J`"
    "ts9hKeEM<@(0sg*w*lnX3?_jo>k+SE@bWPHcMU4n|cVF1?ix@g4txFHmeLCHom!0^B2RJ@q5QKy}a!W`H@wNE5NN#@RCF;cFD2py#M^tL<;"
)
LOCAL_TABLE = _of(
    "T>t<81poj4|NsC0{{U17OaK87@Q5|6w=zx6=GwE5$aGOp;;{p%#Y(Os;sg>7Z&V3ul*JI@w9kvNH)UPmAr`LW>;(Mqyf`WKB({DYdbV*yq&qk%DT2HoaR@z^1{&KJv*=d+"
    "!qPSo;JD#GSloGHF7$!rdC7=&hCP;a*azl#P@0xp_hEK*4(qbRG90d)tXy2)A!V4|D|}#Qi$rrBp63S-"
    "D>hA9%G8moNYpvO(mu@_+<i<Z5uj<BCoVlAc^UaXI*<pO^<DjpO6+C(lAKKNb~l_6rCI2^(WN?nk$4g!_Z+%9i`3NH>ES!AXa+ro7w(b!sHwp(21pxKYvo}d?HZdU3&24;"
    "5v>x%ThLrpGc?zGw(78)I7V~$R_k1(m-f`=W}G0A{KM4TK4HDMPwzJZ$CrK($NKwLUrA5@qFuhY{k|^)r{Pl|W00-"
    "<BTXvY$_*Bp0BL&$hD@DYskU12b@vE{^(jAOX3+eoDh@ZCLSB5Hzx8``_g1Zdb?Q5JtHaFi!IEE~7RXYw@MZii$#(*Qpk<_SXJ}Le+m;|w3sPWleHSiWy697h@*zU9#qH<"
    "Ictf5&q`!d=g4{4SiV(JIh2C0dOODCz_A?7>=HSmx_5SzMbP#S4Hpmt~s4a}hI5{Sxw+gC4eq&y;(mFbFHi$3Xy|-"
    "!0Jl7{lfLiCLg;?kL*SMp??(V)w(qO<`^vXjXh*!OG%7v~%orB!KQH?w9>$VO*C%!(E1+g}>m`6)J|4d|0f7r7Qum8MQpLhy3Pi#3!vndxzO^30N`_?_pdoE_t-VLcoADt"
    "}8z03Lc=Zd1fVIVo43t687cXx{W&X*0vX%|Fq7fWl*)gTe0O~Ji$?+Wz{UX$29MZ^W&=)=B&b1r+9hRK4v-"
    "VD7hZV+w+AZB<N<oZ0ik@F7fuEK5MG%RG`J_hC~w1Vm+uhc&Q1p@VgAY@MxLa~Er^(&!8AzuWa3>MAX?rrp9i)0~&iGaEq0s$GiyUUH?DW0*P;e`Q@w+4H_oz>+CtWXe|4"
    "^`KrS7>Lz36xl7X=?^2-`M(=47n;>Xgb-seZ;SZ2LH5621!0cf*9ub8_xQtZg7piKEzE9j4B@jr5V&FxH{3}_nxoi3D+2<1K4P10-"
    "yUU?0kJy*X8OeJUpQ<toe(q)e^*jzl3QIJMZ(a1or^B)Y}}^m5tRr#u43f<8#0W`dHRya(7M|On)og&6g_R0r^}oJpH~65W4A;2uyH(&Cc-aQAZZJLXyiC?~{yg&VpJ<;c"
    "_kqCpFX7V#bqfE+nR;E$RB7zAD0E>$hTpR=ClcWrYEr!OJS(q_oA4<|~%*i8*rk5O@GT%~h}HPUL9J!i&sn9Gy!IuhJ0=5KXZQb;#t0QvpJpkEAaJWxWkA9|0~@g8+eI^("
    "MNOMsHx8t!@QQfaQ-`%<1gfI{!gB9|-Fo=wFKt?$cH)>pviO@U*bQIsiq;w-"
    "tYSB595j$gq=V3ys+gK<Sg9V#;udq11{xI1Gb@Cw`EU_Z`(cxG}=2JK0HmK4Rwy&QiN&Fn^JgI1)?VM{hBlT&QXE#XFq1Um~pP4v_=#VKu{ZExO{^Q2E9(5#X+kE^(HRe$"
    "WLH|Fb&RbZ{;rwPf=ug2XU2M~HRF#9S7-"
    "%Y_WyK1u0|d5nBF#KIY4kL0FK2Ya6N`xS(PEPxgKF76*fPaj9tnN&iF@$Z%q!~MP8QU6sLxMrO?<M4*Z&oe3jQ_#8`ld5}c_}SsgB`&Uu(IFT#xQ8fAgcl^t!A4;IEJ$i{"
    "At9~l6th`Jfx&mT<hM6>!<UQy9iry=Q9$F&i6Cs4U_x~Fd{)!ieFVmMX%i;;nfP9V+DJdRz1~QI1OpT)#~d~@4~NJbsY$>J%sy?G82&@qj_Fh@O%2+na_r10bSfU$Xl9zE"
    "H(*8g*pkjj9XcN!ttoJ3ejor8o{2S2tiYl;S8a<{_<<S0wSeF{hWC~vFb({BIEJ~Af-YS@s6I~4f4$xl#l%!mEMZOK0v;@T<gCLlWV$9>p9@S)8o}?Cgki=I{qju=k+te`"
    "9X3@m%Ill*>4#*YQv}ycFKwnr(JLYv4)}ME+nn{0<OOSQ=G{ZT;#{90u5T7FatI+sHTt{GAsm!GeMu1EL=W=+D0Ym}zE8mLyc}z@3l0~3prbi_Y515F6|i;WWZt~#=>^W%"
    "I>DLZC4ln0TFjwUZ-EDhAvO=)>Y&WyE9&ZMw@=S7DlSQIAF%>*S`j)lzK5kG9cr#89J^eCp_F~ct}#a*?bRUu@irI3{6yORFn|f6VF+)nzQzCFZd3&7vCc;`_a&03c;jMm"
    "=@byU8A|R#z!+Hmk<b-XT2EPf!NAzyB3MvYy!Y&OK)3WXFfE?LDl03&O3WV_pE11d3s}M{-"
    "`azDeXarquZQugr$2KewyF$S>5NUgR)%9O>^`N}G4m&cecU%i7}N8c^q<@flxmo-2CrSgls0NhU=P(zb>SPyC&>Ay)I`$8r4ar3zolm-qU$MqSe5^1rXFUOp*9gPz69$Go"
    "l7m#Cdl&G9n?Q;Ei_X$s8(F@?)H>iDt)6Cq(ltmDr^SJy|Jxt@})MhGRt$db9UV7J$(DWm!x{k)<pf<%5yp7A%`U$!aNC{$i49T<_k{kSp6r^&H"
)
LOCAL_LOG = _of(
    "T>t<81poj4|NsC0{{U1APYM$;0s_OI<q!cu!*9EzxhZ9VMk5D*y3*7C!Y54lGC->yH>7trsacuj)bX0C+@AjI)H}{Q0xUS57(Y-Pw&x|s*kkc6IAM4ucSB11Mi}4!>Y?BO"
)
SESSION_STORAGE = _of(
    "T>t<81poj4|NsC0{{Vcii9)cwzyyQu2O>UGKaGKtL45IBf&YvCX+4Uk(rf$vT(<Wwmw*O12_EoOPYr<E-_NHA1Z?vX6t{?@QT*#pj(isN+fUf(-"
    "M%kn&!Y5?yL8ja*;g=Z2dq5)D2Ni+#`^-+*E4vlV5<#L28QjSd+0KegHks4!Z*Bg<<FpwL;CZGM689k-JE*a|H+3;#hfbxS^7@*{lPOI{}3<$00"
)
INDEXED_DB = _of(
    "T>t<81poj4|NsC0{{VR+00CgP(gg1vU|H`FRS?>8Q`h7(&uqrIuf+zgt0pF*7%tH<z{ynCR~8Ro#tQxwa!90{^Oa>6UGi{d-"
    ";U^W)|!`{D@fQMi;}8?nxUnD=BN#GtlyT+M+VM>lBVe!kOOXU`NY&y*VL%@7ICDfz!L`veg^NG^Ni`5pkA4^+X;7N$Z4xU7{o&K$fo}ZEr;<dDzzQ9w`kYVl^UzRnrUVU!"
    "}tA$pl|gqfnk+aE`bPJQ$6{CkzG=Oxv;~!M<=!Ywh{KhOFyirnf(M{L)XuHK=Xz~8HXr@OWK>faxR&4h9tCZ5^IeVZ9Xpl&MK0ql)-"
    "Qn;75tdpZ3tAbO+2R@Gtx6#hSBRl?+w}iw4~x93!wQe%j4=vpq%Iq<Q>g&TBfmb^JHKG@V22iBXCp53@;CJ5bGaJ+4!TFI)DM0O4s|>HG)yjam{K04z}$!awLIGSNBWV@S"
    "eas=~$W<zdjyEDj+5#tT8mqL+o3yskfk(G@<WsjcA?!hcd8dzZPl-"
    "#|z;*jCE^50oNjPSWpcl8E_=*tai;#(8EYyM+$mF5>TZT(ECjqTNoN5o%mslXX_>QqMYScZVu4%Hx-"
    "5o&%Ki#B34D$Q<2eLTJ?`>6M1Ideps{%4FXbO`3O_O;oqp(UAHDkqfnZc+2C;o4^>&=_hjbZ}VS;_OS>NW4+;jRj3096}_HXobuR9<gJKoswOaj2iIw}CClML>e&$Akrtc"
    "<atVJ9Jfgp{S_X3_2(Jx;y`g*{(AJ_ut#69ip`@KWjTi{Ie!dB_FkrWO!mwOl_w@U$(xVayYAzOOY+c{>r4|OYn5xh5aQJ0MI#$~gtS87qG%a&eJ_9|ae2)o>mQ79jrD?k"
    "%D$I5q(#+Ru9lWIWl&0r0w<?P-;{WY}OW?|cC8KCvEHq)V7Jd0T?+-KRj9l2sr#RXy>VX6FBv3cMpn>Cc!zEw=xW@4Kl|gIjKw0;wtQsJ4ALA&Nr}D=Os6o-"
    "h!d>)K+=0&efcuQ1lNxbWkk>J*r6)!VEEDraurR+LdhrP586yZ#yLRu-F461!pUA^#k*p1h|Hp~!h2l31SK3qL_bTW7vQohb(OB4e<-"
    "R`UB5%})<#5{2)~{ATUfWP#$j&2#aOo{&P({45A_t)X3T$4eRy4q+X5-*!@#Qem*rU_=_sG~h=X${qIcSW-"
    "(%2?zwSoLqlK%?=_FG=$s1<_NeQqAxaX%ydp+bPl;BkayUv;L-*p`zOn~4+rnl^>*;_<ieQoYD3UcjR;K=4dOB6r8g#*|r)a*KlJUgE}-"
    "EtgDSOHc<(e5kYL7A{&oC^C&1!|HS7T3-qa<4w;x%UgS#a4_G1X}lgru%0%t7i*LA3I0{RuQP{F-}^ggRPX-"
    "zY-?>sA!U=5)KIm#0af_ciyIgU_VnCqG&`HnHu;|*ybZE@Jsxkv4GrNAOcs1>YZmv-"
    "_E=_7<f)kDh>mJ{+vy)2Y<`66;JV~+$(vlnr*x1`#4>;y#anH$rZv4iIv!K>DV_U-Zu<qsy(j}mT@je5VL_b99`&%WS_jtv^*44NM-"
    "D2D`$Y`%hD>dG*hrm+9K)6rjDB75Hs0S%wSw@hGAdpgj-w(><jJJ25wg-"
    "i9QrHzP^gbkDo$$TH5K?Ri}#bzLq$2lyWPI<U=o^l(YJYU2pzl{AOhk|+HW&)H=>gig&CMoMaRvS5>HsBQEPB;fG^Xat+Z`yj6W3z*m;#=vG!JW7l2k~wwiW4p8N<V2Af0"
    "uD5mKtxevuyAf*ZI!&jnXwl*aKh3*&xEpO_7N79;d=n9LxZQ5)evQGsoxAF<;0BF7lm}O-`nG?vcbS@becCY>WSL0djGRM5*%xV3yew~jiQ_{uu2{3{!tag-"
    "dI%ChaFLU$WkEJ<d*ErFAwbozUJ!RP-Tl?dMNJ`pYGvA^|KUA~HXQY>gZ6LjM<(TdtsB|}=<AnY{bNe-Y-+&&~x*5z+;E<-k@xClUGYNT-"
    ";Z^CGDN&I9k4qV6b`X1I2B*CGD+@;ugQR)(64r{$$BpVWNJ%G=Rp;MzoN;lFG_&o&RKa*FPJWnS6Q|zz#|Zg@oN@80j(!k05b0W$QC{$&Q;4I;1ywC!JT4=aCxeB_S>TB4"
    "Q`I}4>mTM%ZmS+pzljFl?cw4LxPqpEhVfFva9IP$)8z)zZNMcd@{5(9ACz*_01BAL0)}@lX-Kj1aVrUSjO1L*4HFwgBHjJ25HtM?s3g;7t@P!(BCZu~OYw1d0=cJ%`N2Nq"
    "Y>@oFh+;g3lroEgyuSNUC|1-}IqZi4)lbo%jlsx=oz>4dBptLnT#BhM4xJ)&q3Q9aJwWy|EoJ8b%-"
    "<Q3o~1QekUX5+T2l`w$2?fha3N4W$gq5p%8@|m9Pxfai&hRCv08u%Pv%b0VH4(>ac~<0JbB9it@_gi0$@~z<?NqGxV+A)qkA1s`9|h@n{zqaVwh-TLpPAU7H0CKfHuvFGS"
    "!vCGn;|#{5flUO!JN^Tr=l^WEpPhYJ%b+@B2f<=7kIGaS1@;{D|ChS6CO)6m$Xk0kv=XhcgHmU9?fEAk)vy_Lx`sxC%RT_|@P=6Kt)sU4s!b7eQj0DesodNig+1R>|9<eV"
    "+lWtr;p()kIjmkF@!pEz(FkhF)s1J(8L|CHekdvyL0F?CFza{xe!HItn}9TYeH|B8XC*qJ0LU*DHOtBnIV*yaQ82C3sD!fh6dinWU7p%-"
    "13O^W*tZyq~(X560;BI9SPAXO0N$RkwA?mO7FWUX(Q0mPi2pyAEa75;+__gOVXeouIn{L%W&Gcv0JdrflwNR+$}wgc;0zL~!j}#o(M>;2^C<j^6?iD39O8DYNyup86iBPe"
    "R|u3p0f@q68#bNfDu*Iu)p*E$IWQkAR+TS`F3FRs4*lm@M%?i{!-P&?887xC5+B-M14>u)Y*h&ue{}NXZcQO%`-"
    "5uemP+SZ$KL;O&q>u>b~$4}nRC7Jlm=izQ<X^9)G2Ee#f~rIu{jF-1#*wd@Sy*TjtCbI4Z<%@7)DxZ2Bq{uN-"
    "1%)u+sNzfu4dA*XGb_$+^zv!ZrD3|#BIq;w%Sk(@VX>*2LFr0kb@UbazL1yKlg_<iwx9MaKh<GZToqM3D`k?G7*Gfc)vxc$mnP10>QE3E&@~Dv8JT2jF_~2cqzn*O$AqM5"
    "YneCyYU&ny&O0ic>I0!HFarcup)z#yt$O4E)T1I5)shs(c_YC-7u}gUEa+1g(H(`nd2d@ReR`8v?oC_{H#5-8K8OmiaNAfi-{dtSV9h)3pr!rbi?y;Fnc!Di|zt^3$-"
    "MVBf{c1GW)KZ!UwF@sq6RjHv+LBOB_TqyS&5hv#?S+#^5aV|eNXV}jZIB}+P2_lR;-UAHcX>wl{M93#u?XfI?rwM(^=;hokq4irJ7|&Hq#6g2H_PVtHiZ6hwR`|-"
    "Jov?gT1PhLBf_y@Qc5UyIH1c%x=4XA@T4wgG(B9*Cgi{6gcVQAXR^<tWq2AS*p|>rL}Q!_ih0eGe<w{;HI3@vId8?x<QCedHR^7T7<%-"
    "4XSI_M2^HaH><MW8Z4N|=Q)<qL-QE&r>xYe4{bL4(Lu;;8dCz^uC7sGUkNPZRXpvzEev39)HN8Fxeaa<kvXkDoPqo!Qd4p>>g_*tXp2r-bju=X07W$w7D?(jJ8>VD9J6o-"
    "W96ju=-"
    "D%e+46ihYMV1KZ=mRwQyWX;K{XGa<H5UhA;V@`?Bd?x%;IcxUalIchs4WiVtPGqiyrg{!%=C$POb>R?xeV@Bf1W(wkwc;psIP;b#L~WpC|!3j7^w7ATGEul^TBIsHargB2"
    "GIOp&zj)nFIN#i|IN1$8~"
)
