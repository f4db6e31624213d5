"""The words that wishes are made of: deliverables, exclusions, training, approval, deeds. Data only.

Patterns are matched case-insensitively in English, German, Spanish and French; some words of Italian and Portuguese.
"""

from __future__ import annotations

from schemas.brief import Deliverable as D

_VIDEO = (
    r"videos?|v[ií]deos?|vid[ée]os?|clips?|films?|filmati|movies?|pel[ií]culas?|reels?|vids?|footage|tiktoks?|"
    r"(?:youtube |"
    r"yt )shorts?|shorts|trailers?|"
    r"teasers?|video-?clips?|filmchen|kurzfilme?"
)
_EXPLAINER = r"explainers?|erkl[äa]r(?:video|film)s?|explicativ[oa]s?|explicati(?:f|ve)s?"
_3D = (
    r"(?:3-?\s?d|three-dimensional|dreidimensional\w*|tridimension\w*|(?:in|en) (?:three|drei|tres|trois|"
    r"tre|tr[êe]s) dimension\w*)"
)
_PROOF = (
    r"(?:proofs?|theorems?|equations?|formula[es]?|integrals?|derivatives?|beweis\w*|satz(?:es)?|gleichung\w*|"
    r"teorema|demostraci[óo]n|ecuaci[óo]n\w*|th[ée]or[èe]me|d[ée]monstration|preuve)"
)
_SPEAKS = (
    r"(?:speaks?|speaking|talks?|talking|says?|saying|reads?|tells?|presents?|explains?|greets?|welcomes?|recites?|"
    r"sprechen|spricht|sprechend\w*|redet?|reden|sagt|sagen|begr[üu][ßs]+\w*|vorliest|"
    r"habl[ae]\w*|dig[ae]|dice|salud\w+|cuent[ae]|explique|explica|parl[ei]\w*|dise?|salue|accueill\w*|raconte)"
)
_FACE = (
    r"(?:portraits?|portr[äa]ts?|photos?|fotos?|photographs?|pictures?|faces?|avatars?|selfies?|headshots?|"
    r"images?|paintings?|gem[äa]lde|cuadros?|tableaux?|"
    r"bild(?:er)?|gesicht|retratos?|im[áa]gen|caras?|visages?)"
)
# Method words first: what a method names is never replaced by another task.
DELIVERABLES: tuple[tuple[D, str], ...] = (
    (
        D.MATH_ANIMATION,
        (
            rf"\bmanim\b(?:[\s-]+\w*(?:anima\w+|video|clip|film))?"
            rf"|\b(?:math(?:s|ematical|ematics)?|proof|theorem|mathematische?)[\s-]+(?:\w+[\s-]+)?"
            rf"(?:animations?|visuali[sz]ations?|animationen|animaci[óo]n)\b"
            rf"|\banimaci[óo]n (?:matem[áa]tica|de matem[áa]ticas)|\banimation math[ée]matique"
            rf"|\b(?:animate|visuali[sz]e|prove|animiere?|veranschauliche?|anima|demuestra|"
            rf"anime)\b[^.]{{0,120}}\b{_PROOF}\b"
            rf"|\bprove (?:visually|with (?:pictures|animations?))\b|\b(?:animated|visual|"
            rf"animierte[rsn]?) (?:\w+ )?{_PROOF}\b"
            rf"|\b{_PROOF}\b[^.]{{0,60}}\banimated\b"
            rf"|\banimations?\b[^.]{{0,120}}\b{_PROOF}\b|\bbeweise\b[^.]{{0,120}}\banimation"
        ),
    ),
    (
        D.SCENE_ANIMATION,
        (
            rf"\b{_3D}[\s-]+(?:\w+[\s-]+)?(?:animations?|animaci[óo]n|videos?|films?|fl(?:y|ight)-?through|"
            rf"walkthrough|"
            rf"kamerafahrt|fl[uy]\w*|animationen)\b|\banimated {_3D}\b|\b{_3D}[\s-]+(?:animated|animierte\w*)\b"
            rf"|\banim(?:aci[óo]n|ation|azione)(?:en)? (?:en |in )?{_3D}\b"
            rf"|\b(?:spin|rotat\w+|turn|fly|orbit)\b[^.]{{0,20}}\b{_3D}\b[^.]{{0,50}}\b(?:video|clip|film|"
            rf"animation)\b"
            rf"|\b(?:animat\w+|animier\w+|anima)\b[^.]{{0,60}}\b{_3D}\b|\b{_3D}\b[^.;]{{0,50}}\b(?:animat|animier)\w*"
            rf"|\banimat\w+ (?:an? |the |this |my )?(?:own )?(?:svg|logo)\b"
        ),
    ),
    (
        D.MODEL3D,
        (
            rf"\b{_3D}[\s-]+(?:[\w-]+[\s-]+)?(?:models?|objects?|mesh(?:es)?|assets?|modelle?n?|modelos?|"
            rf"mod[èe]les?|prints?|"
            rf"figur\w*|sculptures?|statue\w*|characters?|versions?|druck\w*)\b|\b{_3D}[\s-]?(?:printable|"
            rf"druckbar\w*)\b"
            rf"|\bmod[èe]les? (?:en )?{_3D}\b|\bmodell?os? (?:in |en )?{_3D}\b|\b(?:glb|gltf|stl|obj)\b(?: file)?"
            rf"|\b{_3D}[\s-]?modell\w*\b|\bmodels? (?:in|as) {_3D}\b|\b{_3D} viewer\b[^.]{{0,30}}\bmodels?\b"
            rf"|\bmodels?\b[^.,]{{0,60}}\b{_3D}\b|\b(?:in|into|to|as|en|nach) {_3D}\b"
        ),
    ),
    (
        D.LIPSYNCED_VIDEO,
        (
            r"\blip[\s-]?sync\w*\b[^.]{0,40}\b(?:clip|video|film|interview|recording)\b|\b(?:clip|video|film|"
            r"interview)\b"
            r"[^.]{0,40}\blip[\s-]?sync\w*|\b(?:match|fit|adapt|sync\w*)\b[^.]{0,20}\b(?:lips?|mouth)\b"
            r"|\blippen\w*\b[^.]{0,40}\b(?:anpassen|synchron\w*)"
        ),
    ),
    (
        D.TALKING_VIDEO,
        (
            r"\btalking[\s-]+(?:portraits?|heads?|avatars?|faces?|photos?|pictures?|videos?|person)\b"
            rf"|\b{_FACE}\b[^.,;]{{0,40}}\b{_SPEAKS}\b|\b(?:speaking|sprechende[rsn]?)[\s-]+(?:\w+[\s-]+)?{_FACE}\b"
            rf"|\b(?:make|let|have|lass|haz que|fais)\b[^.]{{0,40}}\b{_FACE}\b[^.]{{0,40}}\b{_SPEAKS}\b"
            rf"|\b(?:make|let|have|lass(?:t|en)?|haz|haga|fai(?:s|"
            rf"tes))\b[^.]{{0,40}}\b{_SPEAKS}\b[^.]{{0,30}}\b{_FACE}\b"
            r"|\bavatars?\b|\bsadtalker\b|\blip[\s-]?sync\w*"
            r"|\b(?:retrato|avatar|foto)s? (?:que habla|parlante|hablante)\b"
            r"|\b(?:portrait|avatar|photo)s? (?:qui parle|parlante?)\b|\bpresenter (?:video|speaks|talks)\b"
        ),
    ),
    (
        D.SVG,
        (
            r"\bsvgs?\b|\bvector(?:i[sz]ed)?[\s-]+(?:graphics?|drawings?|images?|illustrations?|logos?|icons?|"
            r"files?|art|"
            r"formats?|versions?)\b|\bvektor(?:grafik|datei|zeichnung|bild)\w*"
            r"|\b(?:gr[áa]fico|dibujo|imagen|archivo) vectorial\b|\b(?:dessin|image|fichier) vectoriel(?:le)?\b"
        ),
    ),
    (
        D.UPSCALED_VIDEO,
        (
            r"\bupscal\w+|\bhochskalier\w*|\bsuper-?resolution\b|\b(?:clip|video|film|footage|recording)\b[^.]{0,40}"
            r"\b(?:sharper|crisper|less blurry|higher resolution|sch[äa]rfer)|\bsharpen\b[^.]{0,30}\b(?:clip|"
            r"video|film)"
        ),
    ),
    (
        D.VIDEO,
        rf"\b(?:{_VIDEO})\b|\b(?:{_EXPLAINER})\b|\b(?:\w+)?(?:video|film)s?\b|\bslideshows?\b|\bbroadcast\b",
    ),
    (
        D.LORA,
        (
            r"\bloras?\b|\b(?:train|fine-?tune|trainiere?|entrena|entra[îi]ne|learn|teach|lerne?|aprende|apprends?)\b"
            r"[^.]{0,120}\b(?:photos?|pics|headshots?|portraits?|pictures?|images?|face|looks?|how i look|"
            r"likeness|appearance|style|bilder\w*|"
            r"fotos?|aussehen|"
            r"gesicht|im[áa]genes|cara|visage|apparence|selfies?)\b"
        ),
    ),
    (
        D.VOICE,
        (
            r"\b(?:train|clone|fine-?tune|trainiere?|klone?|entrena|clona|entra[îi]ne|learn|teach|copy|"
            r"imitate|lerne?|"
            r"aprende|apprends?|build|make|create)\b[^.]{0,120}?\b(?:my |a |his |her |our |the |meine |mi |ma )?"
            r"(?:voice(?!-?over)|stimme|voz|voix|speech|how i (?:speak|sound)|way of (?:speaking|talking))\b|"
            r"\b(?:train|learn|clone|entrena|"
            r"trainiere?)\b[^.]{0,120}\brecordings?\b"
            r"|\bvoice[\s-]+(?:clone|cloning|training|model)\b|\bvoice (?:from|out of) (?:the|my|these|those|our)\b"
        ),
    ),
    (
        D.IMAGE,
        (
            r"\b(?:images?|pics?|pictures?|photos?|photographs?|illustrations?|paintings?|posters?|"
            r"wallpapers?|drawings?|"
            r"sketch(?:es)?|artworks?|logos?|icons?|bild(?:er)?|zeichnung(?:en)?|im[áa]gen(?:es)?|imagen[s]?|"
            r"imagem|immagin[ei]|"
            r"dibujos?|dessins?|disegn[io]|desenhos?|cartoons?|watercolou?rs?|aquarell\w*|acuarelas?|"
            r"aquarelles?|oil paintings?|engravings?|murals?|mosaics?|cover art|(?:album|book|record|"
            r"magazine) covers?|banners?|flyers?|postcards?|stickers?|collages?|infographics?|"
            r"thumbnails?|foto|plakate?|"
            r"affiches?|cartel)\b"
        ),
    ),
    (
        D.AUDIO,
        (
            r"\b(?:narrations?|narrated|voice-?over|audio(?:books?|guides?)?|podcasts?|spoken (?:text|version|"
            r"word)|mp3|wav|"
            r"sound ?files?|sound ?tracks?|audiodatei\w*|h[öo]rb[uü]ch\w*|h[öo]rspiel\w*|tonspur|tonaufnahme|"
            r"locuci[óo]n|"
            r"sprachaufnahme|audioaufnahme|something to listen to|etwas zum (?:an)?h[öo]ren|"
            r"algo para escuchar|archivo de audio|fichier audio)\b(?! lessons)|\bspeech\b(?! bubbles?)"
            r"|\b(?:read|reads|speak|say|narrate|recite)\b[^.]{0,40}\b(?:aloud|out loud|audio|sound)\b|^\W*narrate\b"
            r"|\b(?:vorlesen|vorgelesen\w*|einsprechen|l[ée]e(?:me|lo)? en voz alta|lis(?:ez)? [àa] voix haute)\b"
        ),
    ),
    (D.SCRIPT, r"\b(?:scripts?|screenplays?|drehbuch|drehb[üu]cher|skript|gui[óo]n|sc[ée]nario)\b"),
    (
        D.PUBLICATION,
        r"\bpublish\b|\bpublic(?:ly accessible)? link\b|\bver[öo]ffentlich\w*|\bpublica(?:r|lo)?\b|\bpublie[rz]?\b",
    ),
    (
        D.MEMORY,
        r"\bstore (?:it|this|them)\b|\bfor later (?:use|recall)\b|\b(?:store|save|keep)\b[^.]{0,20}\b(?:in|"
        r"to) (?:your |the )?memory\b|\b(?:remember|memori[sz]e|"
        r"keep in mind|merk(?:e)? dir|recuerda|souviens-toi)\b(?! (?:the|when|how|"
        r"that \w+ (?:i|we|you)))",
    ),
)
DRAWING = (
    r"\b(?:drawings?|sketch(?:es)?|icons?|logos?|illustrations?|artworks?|graphics?|line-?art|"
    r"zeichnung(?:en)?|dibujos?|"
    r"dessins?|diagrams?)\b"
)
"""What an SVG may be called besides."""
PURPOSE = (
    r"\b(?:for|für|para|pour)\s+(?:an?|the|my|our|ein\w*|mein\w*|unser\w*|un[ae]?|mi|el|la|le|mon|ma|"
    r"notre)\s+(?:[\w-]+\s+){0,3}?"
    r"(?:videos?|v[ií]deos?|vid[ée]os?|films?|clips?|movies?|audio ?guides?|websites?|podcasts?|trailers?|"
    r"posters?|logos?|images?|"
    r"slideshows?|cartel|"
    r"plakat|affiche|profile|profil|perfil|3-?d \w+)\b"
)
"""What a result is for, behind a deliverable that is named, is no wish of its own."""
ONLY_THIS = (
    r"\b(?:only|just|nur|blo[ßs]|solo|s[óo]lo|seulement|uniquement)\s+(?:need\s+|want\s+|brauche\s+)?(?:the|"
    r"an?|as|die|das|den|der|el|"
    r"la|un[ae]?|le|eine?|une)?\s*(?P<what>text|words|script|audio|sound\w*|image|picture|svg|training|voice(?!-?over)|"
    r"lora|3-?d|"
    r"audiodatei|bild|ton)\b|\b(?P<what2>audio|text|sound)[\s-]only\b|\bsomething to (?P<what3>listen|read)\b"
)
ONLY_MEANS = {
    "text": D.SCRIPT,
    "words": D.SCRIPT,
    "script": D.SCRIPT,
    "audio": D.AUDIO,
    "sound": D.AUDIO,
    "ton": D.AUDIO,
    "image": D.IMAGE,
    "picture": D.IMAGE,
    "bild": D.IMAGE,
    "svg": D.SVG,
    "voice": D.VOICE,
    "lora": D.LORA,
    "listen": D.AUDIO,
    "read": D.SCRIPT,
}
"""`only the text`: the one deliverable that is meant, whatever else is named."""

MATERIAL = (
    r"\b(?:from|using|with|of|use|out of|based on|on|aus|mit|von|con|de|avec|"
    r"[àa] partir de)\s+(?:these|this|my|the|our|"
    r"those|meine[nrms]?|diesen?|mis?|mes|mon|ces|estas?|attached|uploaded|"
    r"provided)\s+(?:\w+\s+){0,2}?(?:photos?|pictures?|"
    r"images?|selfies?|recordings?|audio|voice|svg|drawings?|sketch(?:es)?|logo|script|clips?|tapes?|samples?|"
    r"files?|uploads?|bildern?|"
    r"fotos?|stimme|im[áa]genes|"
    r"voz|voix|portraits?)\b"
)
"""What the user brings along is not what the user wants to have."""

_MINE = (
    r"\b(?:this|that|these|the|my|our|an? uploaded|an? attached|dieses?[mnrs]?|mein\w*|unser\w*|est[ae]s?|"
    r"mi|mis|ce(?:tte)?|mon|ma|mes)"
)
BROUGHT_VIDEO = rf"{_MINE}\s+(?:[\w-]+\s+){{0,2}}?(?:videos?|clips?|films?|movies?|footage|v[ií]deos?|vid[ée]os?)\b"
BROUGHT_IMAGE = (
    r"\b(?:pics?|photos?|pictures?|images?) (?:is |are )?(?:attached|below|included|uploaded)\b|"
    r"\b(?:i|we) (?:took|made|have|attached|uploaded|sent) (?:an?|some|the|\d+) (?:\w+ )?(?:photos?|"
    r"photographs?|pictures?|"
    r"images?)\b|"
    rf"{_MINE}\s+(?:[\w-]+\s+){{0,3}}?(?:photos?|photographs?|pictures?|images?|fotos?|bild\w*|im[áa]gen\w*|"
    rf"drawings?)\b"
)
BROUGHT_AUDIO = (
    rf"{_MINE}\s+(?:[\w-]+\s+){{0,2}}?(?:sound ?files?|recordings?|audio(?: files?)?|podcasts?|mp3|wav|voice memos?|"
    r"aufnahmen?|grabaci[óo]n\w*|enregistrements?)\b"
)
"""What the caller brought along, when there is one."""

EXCLUDED = (
    r"(?:\b(?:no|without|skip(?: the)?|not an?|never an?|nor|neither|kein(?:e|en)?|ohne|weder|sin|ni|sans|"
    r"pas (?:de|d')|senza|sem|"
    r"(?:don'?t|do not|does not|doesn'?t) (?:make|create|render|generate|want|need|produce)(?: me)?(?: an?|"
    r" the| any)?)\s+)"
    r"(?:(?:any|an?|the|ein(?:e|en)?|un[ae]?)\s+)?(?P<what>[\w-]+(?:[ -](?:video|model|portrait))?)"
    r"|\b(?P<what2>[\w-]+) (?:is|are) (?:no use|useless|not (?:needed|wanted|necessary)|unnecessary)\b"
)
UNTRAINED = (
    r"\b(?:don'?t|do not|without|not to|sin|ohne|sans|non)\s+(?:train|training|cloning|clone|entrenar|clonar|"
    r"entra[îi]ner|cloner)\s+(?:(?:my|the|our|mi|la|ma|meine|die)\s+)?(?:(?P<voice>voice|voz|voix|stimme)|"
    r"(?P<lora>lora|face|looks|cara|visage|gesicht))\b"
    r"|\b(?:meine |die )?(?P<voice2>stimme) (?:bitte )?nicht trainieren"
)
"""A training that is not wanted."""
VIDEO_WORD = r"[\w-]*(?:vid(?:eo)?|clip|film|movie|animation|explainer|v[ií]deo|vid[ée]o)s?\b"
RESULT_VIDEO = (
    r"\b(?:the|a|into a|as an?) (?:rendered|finished|final|resulting) (?:clips?|videos?|films?|mp4)\b|"
    r"\brender (?:it|this|that|the whole thing|everything)(?: (?:as|to|into) an? (?:video|clip|film|mp4))?\b"
)
"""The video that an animation is rendered to."""
WITH_SOUND = (
    r"\b(?:with|including|mit|con|avec) (?:(?:an?|the|its|einer?|una?|une?) )?(?:\w+ )?"
    r"(?:narrat\w+|voice-?over|audio|sound|sprecher\w*|erz[äa]hler\w*|locuci[óo]n|narraci[óo]n)\b"
)
"""What a video has besides is no wish of its own."""
STATEMENT = (
    r"^\W*(?:my|our|i am|i'm|we are|we're|they|he|she|his|her|their|there (?:is|are))\b"
    r"(?!.*\b(?:want|need|please|like|should|must|could|would|wish|order|request|task|goal|looking for)\b)"
)
"""A sentence that tells of the caller's life."""
NEAR = r"(?:(?!\b(?:and|und|y|et|e|plus|with|then|dann|dazu)\b)[^.;,:()]){0,40}?"
"""Between two words of one wish."""
ONLY = r"\b(?:only|just|nur|solo|s[óo]lo|seulement|uniquement|nothing but)\b"
TRAIN = r"\b(?:train|training|fine-?tune|trainiere?|trainieren|entrena(?:r)?|entra[îi]ne[rz]?)\b"
TRAIN_IDIOMS = (
    r"(?:\w+'s|\b(?:an?|the|this|that|my|our|his|her)) (?:\w+ )?trains?\b(?! (?:on|with|from|me|my|an?|the))|"
    r"\b(?:train (?:station|ride|journey|set|track|travel|drivers?|wrecks?|crash|lines?|"
    r"robbery)|(?:model|steam|gear|drive|power|wagon|express|"
    r"freight|bullet|high-speed|a|the|by|toy|night|old|passenger|trains) trains?)\b|\b(?:strength|weight|dog|"
    r"marathon|"
    r"interval|sales|safety|compliance|employee|staff|onboarding|potty|sleep|cross|fitness|crate) training\b"
    r"|\btraining (?:video|film|material|course|clip|session)s?\b|\btrain (?:a|your|the|my|for)\s+(?:dog|puppy|cat|"
    r"marathon|horse|parrot|employees?|staff|muscles?|body|brain)\b|\b(?:is|are|gets?) trained\b"
)
APPROVAL = (
    r"\b(?:let me|i want to|i'd like to|i would like to|so i can|"
    r"allow me to)\s+(?:first\s+)?(?:see|review|approve|check|"
    r"edit|read|confirm)\b(?=\s+(?:(?:the|this|that|its|your|a)\s+)?(?:\w+\s+)?(?:scripts?|text|narration|"
    r"plan|draft|words|it)\b|"
    r"[^.]{0,60}\b(?:before|first)\b|\s*(?:$|[.,;]))|\b(?:ask|wait for) (?:me|my (?:ok(?:ay)?|approval|"
    r"confirmation))\b|\bshow me the script\b"
    r"|\b(?:before (?:you )?render(?:ing)?|after my approval|with my approval)\b"
    r"|\bskript (?:zuerst )?(?:zeigen|freigeben)\b"
)
_THEN = (
    r"(?:last (?:time|week|month|year|one|video|night)|yesterday|before|earlier|previous\w*|once|the other day|"
    r"letzte[srn]? (?:mal|woche|monat|jahr)|gestern|neulich|vorhin|la (?:[úu]ltima vez|semana pasada)|ayer|"
    r"el (?:mes|a[ñn]o) pasado|la (?:derni[èe]re fois|semaine derni[èe]re)|hier|le mois dernier)"
)
RECALL = (
    rf"\b(?:like|same|as|similar|another|remember|again|recall|wie|gleiche[nrs]?|wieder|como|mism[oa]|otr[oa]|comme|"
    rf"m[êe]me|autre)\b[^.;]{{0,70}}?\b(?:{_THEN}|(?:i|we|you) (?:made|created|did|generated|drew|built))\b"
    r"|\b(?:the|that|those) \w+(?: \w+)? (?:i|we|you) (?:made|created|did|generated|drew|built)\b|\b(?:my|the|"
    r"that) (?:previous|"
    r"earlier|last) (?:one|image|picture|model|video|work|poster|drawing)\b|\bfrom (?:yesterday|last (?:week|"
    r"month|time))\b"
)
TOLD = (
    r"\b(?:explain(?:s|ing|ed)?|teach(?:es)?|describe[sd]?|describing|summari[sz]e[sd]?|summary|"
    r"present(?:ation)?|introduc\w+"
    r"|tell(?:s|ing)?|welcome|about|story|stories|news|recap|tutorial|lesson|guide|how\b.*\bworks?|how to|why|"
    r"what is|"
    r"what are|who was|who is|history|overview|report|greeting|announce\w*|promot\w+|advert\w*|"
    r"commercial|erkl[äa]re?n?|"
    r"[üu]ber|warum|was ist|wie\b.*\bfunktioniert|explica(?:r|me|ci[óo]n)?|sobre|por qu[ée]|qu[ée] es|"
    r"expliquer?|expliquez|explique-moi|pourquoi|qu'est-ce que|comment\b.*\bmarche|"
    r"zusammenfassung|resumen|r[ée]sum[ée])\b"
)
DRAWN = (
    r"(?:^|(?<=[.!?])\s)(?:please\s+|can you\s+|could you\s+)?(?:draw|paint|sketch|illustrate|design|depict|"
    r"imagine|render|zeichne|male|dibuja|pinta|dessine|"
    r"peins)\b"
)
MADE = (
    r"^(?:please\s+|can you\s+|could you\s+)?(?:make|create|generate|build|craft|produce|erstelle?|erzeuge|mach|crea|"
    r"genera|haz|cr[ée]e[rz]?|g[ée]n[èe]re[rz]?|fais)\b"
)
THING = r"^(?:an?|some|the|my|ein(?:e|en)?|un[ae]?)\b"

SUBJECT = (
    r"\b(?:about|on (?!(?:my|these|this|our|those|it|them|me|an?|top|camera|screen|stage|tv|youtube|instagram|"
    r"tiktok|demand|hold|time|the (?:attached|uploaded))\b)|"
    r"explaining|on the topic of|that (?:explains|tells|shows|describes)|über|zum thema|sobre|acerca de|"
    r"au sujet de|à propos de|sur)\b"
)
"""Behind these words stands what a result is about ..."""
NEXT_WISH = (
    r"[.?!;]\s+(?=[^.?!;]{0,200}\b(?:wants?|needs?|would like|i'd like|also|please|make|create|draw|show|"
    r"on top of that)\b)|"
    r"\)\s*,?\s*(?=\S)|\b(?:second|third|secondly|finally|lastly|zweitens|drittens|segundo|"
    r"deuxi[èe]mement)\s+(?=an?\b)|"
    r",\s*(?=(?:publish|upscale|remember|store|save)\b)|[.;]\s*(?=(?:audio|video|svg|image|picture|3-?d|"
    r"script|model)\b)|(?::|\(\w\)|\band\b|\bplus\b|\balso\b|"
    r"\bund\b|\by\b|\bet\b|\bthen\b|\bdann\b|\bdazu\b|\bdanach\b|"
    r"\bluego\b|\bdespu[ée]s\b|"
    r"\btogether with\b|\balong with\b|\bas well as\b|\bzusammen mit\b|\bsowie\b|\bjunto con\b|\bas[íi] como\b|"
    r"\bainsi qu|\bpuis\b|\bensuite\b|\bafterwards?\b|[.;])\s*(?:please\s+|bitte\s+|then\s+|dazu\s+|puis\s+|"
    r"first,?\s+|zuerst\s+|primero\s+|d'abord\s+)*+"
    r"(?:also\s+|tambi[ée]n\s+|auch\s+|aussi\s+)?(?:,?\s*\w+ly,?\s+)?(?:(?:an?|one|two|some|the|"
    r"ein(?:e[nrs]?)?|una?|une?|\d+)\s+\S+|make|create|generate|"
    r"render|train|draw|save|use|keep|let|have|get|produce|write|turn|build|record|narrate|animate|it|crea|"
    r"cr[ée]e|fais|haz|mach|erstelle|"
    r"zeichne|upscale|publish|remember)\b"
)
"""... up to the next wish."""
