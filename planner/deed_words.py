"""Words of wishes that no picture, video or sound fulfils. Data only.

Such a goal is for a task that says it does that, or for nobody.
"""

from __future__ import annotations

OTHER_DEEDS = (
    r"^\W*(?:please\s+|can you\s+|could you\s+|bitte\s+|hey\s+|hi\s+)*(?:do|lend|bring|fold|iron|walk|feed|"
    r"mow|carry|wake|unlock|lock|dim|switch|stop|cancel|refund|return|ship|"
    r"fax|tweet|post|upload|delete|remove|send|e-?mail|mail|transfer|wire|"
    r"withdraw|deposit|subscribe|vote|apply|sign|order|buy|book|"
    r"reserve|pay|call|phone|text|"
    r"compile|run|execute|install|deploy|debug|refactor|fix|repair|brew|cook|bake|clean|wash|deliver|check|"
    r"verify|calculate|"
    r"compute|solve|translate|schedule|remind|find|search|google|look up|open|close|start|stop|restart|"
    r"turn (?:on|off)|"
    r"download|sort|rank|compare|predict|forecast|analy[sz]e|invest|sell|trade|hire|drive|navigate|tune|plan|"
    r"organi[sz]e|"
    r"sende?|schicke?|rufe?|verschiebe?|putze?|wasche?|koche?|hole?|schalte?|stelle?|repariere?|[üu]berweise?|"
    r"bestelle?|kaufe?|buche?|kompiliere?|[üu]bersetze?|berechne?|pr[üu]fe?|werte?t?|env[íi]a|"
    r"compra|pide|"
    r"reserva|apaga|enciende|pon|llama|limpia|lava|cocina|paga|traduce|calcula|comprueba|envoie|"
    r"r[ée]serve[rz]?|appelle|allume|[ée]teins|lave|nettoie|paie|ach[èe]te|commande|traduis|calcule|v[ée]rifie)\b"
)
"""A goal that begins so asks for a deed, which only a task that says so can do."""
UNKNOWN_DEED = (
    r"^\W*(?:(?:please|kindly|can you|could you|would you|hey|hi)\W+)*+"
    r"(?!(?:in|inside|into|behind|under|over|on|at|from|to|of|off|with|without|within|between|beyond|through|"
    r"about|around|"
    r"across|along|after|before|during|near|against|toward|towards|like|unlike|despite|all|both|half|each|"
    r"every|what|when|"
    r"where|who|whom|whose|which|how|why|everything|something|anything|nothing|someone|everyone|one|two|as|if|"
    r"because|"
    r"since|while|until|and|but|or|nor|not|only|just|also|even|than|then|there|here|such|so|too|very|most|"
    r"many|few|more|"
    r"less|is|are|was|were|has|have|had|will|would|could|should|may|might|must|i|we|you|he|she|they|it|this|"
    r"that|these|"
    r"those|need|want|give|get|let|put|use|take|turn|set|add|bring|keep|leave|go|come|see|look|say|read|speak|"
    r"sing|play|"
    r"write|narrate|record|animate|film|visuali[sz]e|prove|train|teach|learn|clone|upscale|publish|remember|restore|"
    r"change|convert|transform|extrude|cut|remove|colou?r|match|sync|compose|invent|build|prepare|do(?! my| the))\b)"
    r"[a-z]{2,}\s+(?:my|me|the|an?|this|that|these|those|all|some|him|her|us|our|your|it|them|two|three|\d+)\b"
)
"""An order whose verb names nothing that is made or told here: a word before an object that is no preposition."""
NOT_MEDIA = (
    r"\b(?:apps?|applications?|web ?sites?|web ?shops?|spreadsheets?|workbooks?|excel|databases?|programs?|software|"
    r"scripts? in (?:python|bash)|python (?:script|program|code)|source code|powerpoint|pdfs?|emails?|"
    r"letters?|invoices?|"
    r"contracts?|resumes?|cvs?|appointments?|pizzas?|coffee|flights?|tickets?|reports?|quiz(?:zes)?|slides?|"
    r"slide decks?)\b"
)
"""Things that no picture or video stands for, when they are what is to be made."""
