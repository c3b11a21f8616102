import asyncio

from django.http import JsonResponse

from schemas import Wait


async def wait(request):
    form = Wait(request.GET)
    if not form.is_valid():
        return JsonResponse({"detail": form.errors.get_json_data()}, status=422)
    ms = form.cleaned_data["ms"]
    await asyncio.sleep(ms / 1000)
    return JsonResponse({"waited_ms": ms})
